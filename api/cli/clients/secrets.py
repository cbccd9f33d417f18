"""`token-ledger clients add-secret` and `retire-secret`: rotation without downtime."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from api.cli import flags
from api.cli.arguments import parse_future
from api.cli.clients.commands import ClientId
from api.cli.clients.views import print_secret
from api.cli.context import CommandContext, DatabaseFlags, run_on_issuer
from api.cli.output import format_instant, print_json, print_result
from api.operations.errors import OperationError
from ledger.domain.clock import utc_now

ExpiresIn = Annotated[
    str | None,
    flags.option("--expires-in", "How long the secret is valid: 3600, 90m, 24h, 30d. Default: without limit.", "TIME"),
]
SecretFile = Annotated[
    Path | None,
    flags.option(
        "--secret-file", "Read the secret from this file instead of generating it; '-' is standard input.", "FILE"
    ),
]
After = Annotated[
    str | None, flags.option("--after", "Expire it after this time: 3600, 90m, 24h, 30d. Default: at once.", "TIME")
]
SecretId = Annotated[
    str, typer.Argument(metavar="SECRET_ID", help="The secret's id, as 'token-ledger clients show' lists it.")
]


def add_secret(
    client_id: ClientId,
    *,
    expires_in: ExpiresIn = None,
    secret_file: SecretFile = None,
    json: flags.Json = False,
    dsn: flags.Dsn = None,
    embedded: flags.Embedded = None,
    issuers: flags.Issuers = None,
    issuer: flags.IssuerChoice = None,
    actor: flags.Actor = None,
) -> None:
    """Add a secret; a client has at most two valid ones. A generated secret is shown only once."""
    expires_at = parse_future(expires_in, "--expires-in", utc_now()) if expires_in else None
    chosen = None if secret_file is None else _read_secret(secret_file)

    async def work(context: CommandContext) -> tuple[str, str | None]:
        registry = context.issuer.registry
        if chosen is None:
            return await registry.add_generated_secret(client_id, context.cause, expires_at)
        return await registry.add_chosen_secret(client_id, chosen, context.cause, expires_at), None

    database = DatabaseFlags(dsn=dsn, embedded=embedded, issuers=issuers, issuer=issuer)
    secret_id, generated = run_on_issuer(database, work, actor=actor)
    if json:
        shown = {} if generated is None else {"client_secret": generated}
        print_json({"client_id": client_id, "secret_id": secret_id} | shown)
    elif generated is None:
        print_result(f"added secret {secret_id} to {client_id}")
    else:
        print_secret(client_id, secret_id, generated)


def retire_secret(
    client_id: ClientId,
    secret_id: SecretId,
    *,
    after: After = None,
    json: flags.Json = False,
    dsn: flags.Dsn = None,
    embedded: flags.Embedded = None,
    issuers: flags.Issuers = None,
    issuer: flags.IssuerChoice = None,
    actor: flags.Actor = None,
) -> None:
    """Expire a secret, at once or after a time in which the client can switch to its new one."""
    ends = parse_future(after, "--after", utc_now()) if after else None
    database = DatabaseFlags(dsn=dsn, embedded=embedded, issuers=issuers, issuer=issuer)
    client = run_on_issuer(
        database,
        lambda context: context.issuer.registry.retire_secret(client_id, secret_id, context.cause, ends),
        actor=actor,
    )
    expires_at = next(s.expires_at for s in client.secrets if s.secret_id == secret_id)
    if json:
        shown = expires_at.isoformat() if expires_at else None
        print_json({"client_id": client_id, "secret_id": secret_id, "expires_at": shown})
        return
    print_result(f"secret {secret_id} of {client_id} expires at {format_instant(expires_at)}")
    if not client.valid_secrets(max(utc_now(), expires_at or utc_now())):
        print_result("it is the last valid secret: the client cannot authenticate afterwards without another one")


def _read_secret(path: Path) -> str:
    """Read a secret from a file, or one line of standard input. Every local user can read command-line arguments."""
    try:
        text = sys.stdin.readline() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        msg = f"--secret-file: {path} cannot be read: {reason}"
        raise OperationError(msg) from None
    return text.rstrip("\r\n")
