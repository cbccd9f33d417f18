"""The credentials of the audit commands over HTTP, from the environment or from files."""

import os

from msgspec import Struct
from pydantic import SecretStr

from api.cli.arguments import read_secret_file
from api.cli.flags import SharedFlags
from api.operations.errors import UsageError
from api.service.settings import PREFIX

TOKEN = f"{PREFIX}AUDIT_TOKEN"
CLIENT_SECRET = f"{PREFIX}AUDIT_CLIENT_SECRET"
CLIENT_ID = f"{PREFIX}AUDIT_CLIENT_ID"

SECRET_VARIABLES = (TOKEN, CLIENT_SECRET)
"""Variables without a flag, because every local user can read command-line arguments."""


class Credentials(Struct, frozen=True):
    """An access token, or the id and secret of a client that can request one."""

    token: SecretStr | None
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")


def find_credentials(flags: SharedFlags) -> Credentials:
    """Find the credentials; a file takes precedence over a variable, a token over a client. Raises UsageError."""
    token = os.environ.get(TOKEN, "").strip()
    if flags.audit_token_file:
        token = read_secret_file(flags.audit_token_file, "--audit-token-file")
    if token:
        return Credentials(_check_printable(token, "token"))
    client_id, secret = flags.audit_client_id, os.environ.get(CLIENT_SECRET, "")
    if flags.audit_secret_file:
        secret = read_secret_file(flags.audit_secret_file, "--audit-secret-file")
    if client_id and secret:
        return Credentials(None, client_id, _check_printable(secret, "secret"))
    missing = "a client's secret" if client_id else "a client's id" if secret else "a client's id and secret"
    msg = (
        f"{missing} is required over HTTP: give {CLIENT_ID} and {CLIENT_SECRET} (or --audit-secret-file) of a "
        f"client with scope audit.read, or a token in {TOKEN}"
    )
    raise UsageError(msg)


def _check_printable(text: str, what: str) -> SecretStr:
    if not text.isascii() or not text.isprintable():
        msg = f"the {what} has characters that are not printable ASCII: check that it is complete and on one line"
        raise UsageError(msg)
    return SecretStr(text)
