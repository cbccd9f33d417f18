"""The credentials of the audit commands over HTTP.

Secrets are given in the environment or in a file, because every local user can read command-line arguments.
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

SECRET_VARIABLES = (TOKEN, CLIENT_SECRET)
"""Variables without a flag, because they hold secrets."""


class Credentials(Struct, frozen=True):
    """An access token, or the id and secret of a client that can request one."""

    token: SecretStr | None
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")


def find_credentials(
    environment: Mapping[str, str], *, client_id: str | None, secret_file: Path | None, token_file: Path | None
) -> Credentials:
    """Find the credentials; a file takes precedence over a variable, a token over a client. Raises UsageError."""
    token = _read(token_file, "--audit-token-file") if token_file else environment.get(TOKEN, "").strip()
    if token:
        return Credentials(_check_printable(token, "token"))
    secret = _read(secret_file, "--audit-secret-file") if secret_file else environment.get(CLIENT_SECRET, "")
    if client_id and secret:
        return Credentials(None, client_id, _check_printable(secret, "secret"))
    missing = "a client's secret" if client_id else "a client's id" if secret else "a client's id and secret"
    msg = (
        f"{missing} is required over HTTP: give {CLIENT_ID} and {CLIENT_SECRET} (or --audit-secret-file) of a "
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


def _check_printable(text: str, what: str) -> SecretStr:
    if not text.isascii() or not text.isprintable():
        msg = f"the {what} has characters that are not printable ASCII: check that it is complete and on one line"
        raise UsageError(msg)
    return SecretStr(text)
