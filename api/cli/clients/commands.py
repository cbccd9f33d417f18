"""`token-ledger clients`: register, change and list clients, and rotate their secrets."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from api.cli.arguments import check_reason, parse_future, read_secret_file
from api.cli.clients.views import client_document, print_client, print_clients, print_secret
from api.cli.context import CommandContext, run_on_issuer
from api.cli.flags import ClientId, Reason, option
from api.cli.output import format_instant, print_json, print_result
from api.http.audit.documents import ClientEventDocument
from ledger.domain.client import Client
from ledger.domain.clock import utc_now
from ledger.domain.errors import UnknownClient
from ledger.domain.events import ClientSettings
from ledger.domain.grant import CLIENT_CREDENTIALS

Name = Annotated[str | None, option("--name", "The client's display name. Default: its id.", variable="CLIENT_NAME")]
Scopes = Annotated[list[str] | None, option("--scope", "A scope it may request. Repeatable.", "SCOPE")]
DefaultScopes = Annotated[
    list[str] | None, option("--default-scope", "A scope it gets if it requests none. Repeatable.", "SCOPE")
]
GrantTypes = Annotated[
    list[str] | None,
    option(
        "--grant-type",
        f"A grant type it may use. Repeatable. Default: {CLIENT_CREDENTIALS} if it has scopes, else none.",
        "GRANT",
    ),
]
Audience = Annotated[
    list[str] | None,
    option("--audience", "A resource server its tokens are for. Repeatable. Default: the client itself.", "ID"),
]
Lifetime = Annotated[int, option("--lifetime", "The lifetime of its access tokens.", "SECONDS")]
Introspection = Annotated[
    Literal["none", "audience", "issuer"],
    option(
        "--introspection", "The tokens it may introspect: none, those with it in their audience, or all of the issuer."
    ),
]
NoSecret = Annotated[bool, option("--no-secret", "Register it without a secret: it cannot authenticate yet.")]


def add(
    ctx: typer.Context,
    client_id: ClientId,
    *,
    name: Name = None,
    scope: Scopes = None,
    default_scope: DefaultScopes = None,
    grant_type: GrantTypes = None,
    audience: Audience = None,
    lifetime: Lifetime = 3600,
    introspection: Introspection = "none",
    no_secret: NoSecret = False,
) -> None:
    """Register a client and generate a secret for it. The secret is shown only once."""
    settings = ClientSettings(
        name=client_id if name is None else name,
        grant_types=tuple(grant_type or ([CLIENT_CREDENTIALS] if scope else [])),
        scopes=tuple(scope or ()),
        default_scopes=tuple(default_scope or ()),
        audience=tuple(audience or ()),
        access_token_lifetime=lifetime,
        introspection=introspection,
    )

    async def work(context: CommandContext) -> tuple[Client, tuple[str, str] | None, str]:
        registry = context.issuer.registry
        client = await registry.register(client_id, settings, context.cause)
        secret = None if no_secret else await registry.add_generated_secret(client_id, context.cause)
        return await registry.load(client_id) or client, secret, context.identifier.url

    client, secret, url = run_on_issuer(ctx.obj, work)
    if ctx.obj.json:
        shown = {"secret_id": secret[0], "client_secret": secret[1]} if secret else {}
        print_json(client_document(client, utc_now()) | shown)
        return
    print_result(f"registered {client_id} with {url}")
    if secret:
        print_secret(client_id, *secret)


def list_clients(ctx: typer.Context) -> None:
    """List the clients of the issuer."""
    clients = run_on_issuer(ctx.obj, lambda context: context.issuer.clients.list_all())
    now = utc_now()
    if ctx.obj.json:
        print_json([client_document(client, now) for client in clients])
    else:
        print_clients(clients, now)


def show(ctx: typer.Context, client_id: ClientId) -> None:
    """Show a client: its settings, its secrets without their values, and its history."""

    async def work(context: CommandContext) -> tuple[Client, list[ClientEventDocument]]:
        client = await context.issuer.registry.load(client_id)
        if client is None:
            msg = f"no client {client_id!r} is registered with {context.identifier.url}"
            raise UnknownClient(msg)
        return client, list(await context.history.read_client_events(client_id))

    client, history = run_on_issuer(ctx.obj, work)
    if ctx.obj.json:
        print_json(client_document(client, utc_now()) | {"history": msgspec.to_builtins(history)})
    else:
        print_client(client, history, utc_now())


def disable(ctx: typer.Context, client_id: ClientId, *, reason: Reason = "disabled by an operator") -> None:
    """Disable a client at once, in every process. Its tokens stay valid until they expire or are revoked."""
    checked = check_reason(reason)
    client = run_on_issuer(ctx.obj, lambda context: context.issuer.registry.disable(client_id, checked, context.cause))
    _print_state(client, json=ctx.obj.json)


def enable(ctx: typer.Context, client_id: ClientId) -> None:
    """Enable a disabled client."""
    client = run_on_issuer(ctx.obj, lambda context: context.issuer.registry.enable(client_id, context.cause))
    _print_state(client, json=ctx.obj.json)


def _print_state(client: Client, *, json: bool) -> None:
    if json:
        print_json(client_document(client, utc_now()))
    else:
        print_result(f"{client.client_id} is {'enabled' if client.enabled else 'disabled'}")


ExpiresIn = Annotated[
    str | None,
    option("--expires-in", "How long the secret is valid: 3600, 90m, 24h, 30d. Default: without limit.", "TIME"),
]
SecretFile = Annotated[
    Path | None,
    option("--secret-file", "Read the secret from this file instead of generating it; '-' is standard input.", "FILE"),
]
After = Annotated[
    str | None, option("--after", "Expire it after this time: 3600, 90m, 24h, 30d. Default: at once.", "TIME")
]
SecretId = Annotated[
    str, typer.Argument(metavar="SECRET_ID", help="The secret's id, as 'token-ledger clients show' lists it.")
]


def add_secret(
    ctx: typer.Context, client_id: ClientId, *, expires_in: ExpiresIn = None, secret_file: SecretFile = None
) -> None:
    """Add a secret; a client has at most two valid ones. A generated secret is shown only once."""
    expires_at = parse_future(expires_in, "--expires-in", utc_now()) if expires_in else None
    chosen = None if secret_file is None else read_secret_file(secret_file, "--secret-file")

    async def work(context: CommandContext) -> tuple[str, str | None]:
        registry = context.issuer.registry
        if chosen is None:
            return await registry.add_generated_secret(client_id, context.cause, expires_at)
        return await registry.add_chosen_secret(client_id, chosen, context.cause, expires_at), None

    secret_id, generated = run_on_issuer(ctx.obj, work)
    if ctx.obj.json:
        shown = {} if generated is None else {"client_secret": generated}
        print_json({"client_id": client_id, "secret_id": secret_id} | shown)
    elif generated is None:
        print_result(f"added secret {secret_id} to {client_id}")
    else:
        print_secret(client_id, secret_id, generated)


def retire_secret(ctx: typer.Context, client_id: ClientId, secret_id: SecretId, *, after: After = None) -> None:
    """Expire a secret, at once or after a time in which the client can switch to its new one."""
    ends = parse_future(after, "--after", utc_now()) if after else None
    client = run_on_issuer(
        ctx.obj, lambda context: context.issuer.registry.retire_secret(client_id, secret_id, context.cause, ends)
    )
    expires_at = next(s.expires_at for s in client.secrets if s.secret_id == secret_id)
    if ctx.obj.json:
        shown = expires_at.isoformat() if expires_at else None
        print_json({"client_id": client_id, "secret_id": secret_id, "expires_at": shown})
        return
    print_result(f"secret {secret_id} of {client_id} expires at {format_instant(expires_at)}")
    if not client.valid_secrets(max(utc_now(), expires_at or utc_now())):
        print_result("it is the last valid secret: the client cannot authenticate afterwards without another one")
