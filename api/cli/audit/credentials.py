"""What the audit commands show a service: a token, or a client's id and secret to get one with.

A secret stands in the environment or in a file: what is in an argument every user of the machine can read.
"""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from pydantic import SecretStr

from api.operations.errors import UsageError
from api.service.settings import PREFIX

TOKEN = f"{PREFIX}AUDIT_TOKEN"
CLIENT_SECRET = f"{PREFIX}AUDIT_CLIENT_SECRET"
CLIENT_ID = f"{PREFIX}AUDIT_CLIENT_ID"

WITHOUT_FLAG = (TOKEN, CLIENT_SECRET)
"""Variables that no flag is a twin of, as they hold secrets."""


class Credentials(Struct, frozen=True):
    """Either a token, or a client."""

    token: SecretStr | None
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")


def find_credentials(
    environment: Mapping[str, str], *, client_id: str | None, secret_file: Path | None, token_file: Path | None
) -> Credentials:
    """The credentials given; a file wins over a variable, a token over a client. Raises OperationError."""
    token = _read(token_file, "--audit-token-file") if token_file else environment.get(TOKEN, "").strip()
    if token:
        return Credentials(_printable(token, "the token"))
    secret = _read(secret_file, "--audit-secret-file") if secret_file else environment.get(CLIENT_SECRET, "")
    if client_id and secret:
        return Credentials(None, client_id, _printable(secret, "the secret"))
    missing = "a client's secret" if client_id else "a client's id" if secret else "a client's id and secret"
    msg = (
        f"{missing} is needed to ask over HTTP: give {CLIENT_ID} and {CLIENT_SECRET} (or --audit-secret-file) of a "
        f"client with scope audit.read, or a token in {TOKEN}"
    )
    raise UsageError(msg)


def _read(path: Path, flag: str) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        msg = f"{flag}: {path} cannot be read: {reason}"
        raise UsageError(msg) from None
    return text.rstrip("\r\n")


def _printable(text: str, what: str) -> SecretStr:
    if not text.isascii() or not text.isprintable():
        msg = f"{what} to ask with holds characters that none has: check that it is whole, and alone in its place"
        raise UsageError(msg)
    return SecretStr(text)
