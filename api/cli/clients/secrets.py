"""`token-ledger clients add-secret` and `retire-secret`: rotation without downtime."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from api.cli import flags
from api.cli.clients.commands import ClientId, clients
from api.cli.context import Desk, issuer_command
from api.cli.output import format_instant, print_json, print_result
from api.cli.secret_output import show_secret
from api.cli.times import after_now
from api.operations.errors import OperationError
from ledger.domain.clock import utc_now

ExpiresIn = Annotated[
    str | None,
    flags.of_command(
        "EXPIRES_IN", "--expires-in", metavar="TIME", help="How long it is valid: 3600, 90m, 24h, 30d. Default: no end."
    ),
]
SecretFile = Annotated[
    Path | None,
    flags.of_command(
        "SECRET_FILE",
        "--secret-file",
        metavar="FILE",
        help="Take the secret from this file, or from standard input for '-', instead of generating one.",
    ),
]
After = Annotated[
    str | None,
    flags.of_command(
        "AFTER", "--after", metavar="TIME", help="End it only after this time: 3600, 90m, 24h, 30d. Default: at once."
    ),
]
SecretId = Annotated[
    str, typer.Argument(metavar="SECRET_ID", help="The secret's id, as 'token-ledger clients show' lists it.")
]


@clients.command("add-secret")
@issuer_command
async def add_secret(
    desk: Desk,
    client_id: ClientId,
    *,
    expires_in: ExpiresIn = None,
    secret_file: SecretFile = None,
    json: flags.Json = False,
) -> None:
    """Add a secret beside those the client has, at most two valid at once. A generated one is shown this once."""
    ends = after_now(expires_in, "--expires-in", utc_now()) if expires_in else None
    if secret_file is not None:
        chosen = _read_secret(secret_file)
        secret_id = await desk.issuer.registry.add_chosen_secret(client_id, chosen, desk.cause, ends)
        if json:
            print_json({"client_id": client_id, "secret_id": secret_id})
        else:
            print_result(f"added secret {secret_id} to {client_id}")
        return
    secret_id, secret = await desk.issuer.registry.add_generated_secret(client_id, desk.cause, ends)
    if json:
        print_json({"client_id": client_id, "secret_id": secret_id, "client_secret": secret})
    else:
        show_secret(client_id, secret_id, secret)


@clients.command("retire-secret")
@issuer_command
async def retire_secret(
    desk: Desk, client_id: ClientId, secret_id: SecretId, *, after: After = None, json: flags.Json = False
) -> None:
    """End a secret, at once or after a while in which the client can move to its new one."""
    ends = after_now(after, "--after", utc_now()) if after else None
    client = await desk.issuer.registry.retire_secret(client_id, secret_id, desk.cause, ends)
    expires_at = next(s.expires_at for s in client.secrets if s.secret_id == secret_id)
    if json:
        ending = expires_at.isoformat() if expires_at else None
        print_json({"client_id": client_id, "secret_id": secret_id, "expires_at": ending})
        return
    print_result(f"secret {secret_id} of {client_id} ends at {format_instant(expires_at)}")
    if not client.valid_secrets(max(utc_now(), expires_at or utc_now())):
        print_result("it is the last one: without another the client cannot authenticate after that")


def _read_secret(path: Path) -> str:
    """A file's text, or a line of standard input. In an argument every user of the machine could read it."""
    try:
        text = sys.stdin.readline() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        msg = f"--secret-file: {path} cannot be read: {reason}"
        raise OperationError(msg) from None
    return text.rstrip("\r\n")
