"""`token-ledger clients`: register clients and look at them."""

from typing import Annotated, Literal

import msgspec
import typer

from api.cli import flags
from api.cli.clients.views import client_document, client_row, show_client
from api.cli.context import Desk, issuer_command
from api.cli.output import print_json, print_result, print_table
from api.cli.secret_output import show_secret
from api.cli.tokens.commands import checked_reason
from ledger.domain.client import Client
from ledger.domain.clock import utc_now
from ledger.domain.errors import UnknownClient
from ledger.domain.events import ClientSettings
from ledger.domain.grant import CLIENT_CREDENTIALS

clients = typer.Typer(help="Register clients, change them, look at them.", no_args_is_help=True)

ClientId = Annotated[str, typer.Argument(metavar="CLIENT_ID", help="The client's id.")]
Name = Annotated[
    str | None, flags.of_command("CLIENT_NAME", "--name", help="What people call the client. Default: its id.")
]
Scopes = Annotated[
    list[str] | None,
    flags.of_command("SCOPE", "--scope", metavar="SCOPE", help="A scope it may ask for. Repeat for more."),
]
DefaultScopes = Annotated[
    list[str] | None,
    flags.of_command(
        "DEFAULT_SCOPE", "--default-scope", metavar="SCOPE", help="A scope it gets when it asks for none. Repeat."
    ),
]
GrantTypes = Annotated[
    list[str] | None,
    flags.of_command(
        "GRANT_TYPE",
        "--grant-type",
        metavar="GRANT",
        help=f"A grant it may use. Repeat for more. Default: {CLIENT_CREDENTIALS} if it has scopes, else none.",
    ),
]
Audience = Annotated[
    list[str] | None,
    flags.of_command(
        "AUDIENCE", "--audience", metavar="ID", help="A resource server its tokens are for. Default: the client itself."
    ),
]
Lifetime = Annotated[
    int, flags.of_command("LIFETIME", "--lifetime", metavar="SECONDS", help="How long its access tokens live.")
]
Introspection = Annotated[
    Literal["none", "audience", "issuer"],
    flags.of_command(
        "INTROSPECTION",
        "--introspection",
        help="Which tokens it may introspect: none, those whose audience names it, or any of the issuer.",
    ),
]
NoSecret = Annotated[
    bool, flags.of_command("NO_SECRET", "--no-secret", help="Register it without a secret: it cannot authenticate yet.")
]


@clients.command("add")
@issuer_command
async def add(
    desk: Desk,
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
    json: flags.Json = False,
) -> None:
    """Register a client and generate a secret for it, which is shown this once."""
    grants = grant_type or ([CLIENT_CREDENTIALS] if scope else [])
    settings = ClientSettings(
        name=client_id if name is None else name,
        grant_types=tuple(grants),
        scopes=tuple(scope or ()),
        default_scopes=tuple(default_scope or ()),
        audience=tuple(audience or ()),
        access_token_lifetime=lifetime,
        introspection=introspection,
    )
    registry = desk.issuer.registry
    client = await registry.register(client_id, settings, desk.cause)
    secret = None if no_secret else await registry.add_generated_secret(client_id, desk.cause)
    if json:
        client = await registry.load(client_id) or client
        shown = {"secret_id": secret[0], "client_secret": secret[1]} if secret else {}
        print_json(client_document(client, utc_now()) | shown)
        return
    print_result(f"registered {client_id} with {desk.issuer.identifier.url}")
    if secret:
        show_secret(client_id, *secret)


@clients.command("list")
@issuer_command
async def list_(desk: Desk, *, json: flags.Json = False) -> None:
    """List the clients of the issuer."""
    everyone = await desk.issuer.clients.all()
    now = utc_now()
    if json:
        print_json([client_document(client, now) for client in everyone])
        return
    columns = ("CLIENT ID", "NAME", "GRANTS", "SCOPES", "INTROSPECTION", "VALID SECRETS", "STATE")
    print_table(columns, [client_row(client, now) for client in everyone])


@clients.command("show")
@issuer_command
async def show(desk: Desk, client_id: ClientId, *, json: flags.Json = False) -> None:
    """Show a client's settings and secrets (never the secrets themselves), and its history: who changed what, when."""
    client = await load(desk, client_id)
    history = await desk.history.client_events(client_id)
    if json:
        print_json(client_document(client, utc_now()) | {"history": msgspec.to_builtins(history)})
        return
    show_client(client, history, utc_now())


@clients.command("disable")
@issuer_command
async def disable(
    desk: Desk, client_id: ClientId, *, reason: flags.Reason = "disabled by an operator", json: flags.Json = False
) -> None:
    """Shut a client out, at once and on every process. Tokens it has live on until revoked or expired."""
    client = await desk.issuer.registry.disable(client_id, checked_reason(reason), desk.cause)
    _changed(client, json=json)


@clients.command("enable")
@issuer_command
async def enable(desk: Desk, client_id: ClientId, *, json: flags.Json = False) -> None:
    """Let a disabled client in again."""
    _changed(await desk.issuer.registry.enable(client_id, desk.cause), json=json)


async def load(desk: Desk, client_id: str) -> Client:
    """The client as its stream says. Raises UnknownClient, Unavailable."""
    client = await desk.issuer.registry.load(client_id)
    if client is None:
        msg = f"no client {client_id!r} is registered with {desk.issuer.identifier.url}"
        raise UnknownClient(msg)
    return client


def _changed(client: Client, *, json: bool) -> None:
    if json:
        print_json(client_document(client, utc_now()))
    else:
        print_result(f"{client.client_id} is {'enabled' if client.enabled else 'disabled'}")
