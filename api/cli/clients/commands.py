"""`token-ledger clients add`, `list`, `show`, `disable` and `enable`."""

from typing import Annotated, Literal

import msgspec
import typer

from api.cli import flags
from api.cli.arguments import check_reason
from api.cli.clients.views import client_document, print_client, print_clients, print_secret
from api.cli.context import CommandContext, DatabaseFlags, run_on_issuer
from api.cli.output import print_json, print_result
from api.http.audit.documents import ClientEventDocument
from ledger.domain.client import Client
from ledger.domain.clock import utc_now
from ledger.domain.errors import UnknownClient
from ledger.domain.events import ClientSettings
from ledger.domain.grant import CLIENT_CREDENTIALS

ClientId = Annotated[str, typer.Argument(metavar="CLIENT_ID", help="The client's id.")]
Name = Annotated[
    str | None, flags.option("--name", "The client's display name. Default: its id.", variable="CLIENT_NAME")
]
Scopes = Annotated[list[str] | None, flags.option("--scope", "A scope it may request. Repeatable.", "SCOPE")]
DefaultScopes = Annotated[
    list[str] | None, flags.option("--default-scope", "A scope it gets if it requests none. Repeatable.", "SCOPE")
]
GrantTypes = Annotated[
    list[str] | None,
    flags.option(
        "--grant-type",
        f"A grant type it may use. Repeatable. Default: {CLIENT_CREDENTIALS} if it has scopes, else none.",
        "GRANT",
    ),
]
Audience = Annotated[
    list[str] | None,
    flags.option("--audience", "A resource server its tokens are for. Repeatable. Default: the client itself.", "ID"),
]
Lifetime = Annotated[int, flags.option("--lifetime", "The lifetime of its access tokens.", "SECONDS")]
Introspection = Annotated[
    Literal["none", "audience", "issuer"],
    flags.option(
        "--introspection", "The tokens it may introspect: none, those with it in their audience, or all of the issuer."
    ),
]
NoSecret = Annotated[bool, flags.option("--no-secret", "Register it without a secret: it cannot authenticate yet.")]


def add(
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
    dsn: flags.Dsn = None,
    embedded: flags.Embedded = None,
    issuers: flags.Issuers = None,
    issuer: flags.IssuerChoice = None,
    actor: flags.Actor = None,
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

    database = DatabaseFlags(dsn=dsn, embedded=embedded, issuers=issuers, issuer=issuer)
    client, secret, url = run_on_issuer(database, work, actor=actor)
    if json:
        shown = {"secret_id": secret[0], "client_secret": secret[1]} if secret else {}
        print_json(client_document(client, utc_now()) | shown)
        return
    print_result(f"registered {client_id} with {url}")
    if secret:
        print_secret(client_id, *secret)


def list_clients(
    *,
    json: flags.Json = False,
    dsn: flags.Dsn = None,
    embedded: flags.Embedded = None,
    issuers: flags.Issuers = None,
    issuer: flags.IssuerChoice = None,
) -> None:
    """List the clients of the issuer."""
    database = DatabaseFlags(dsn=dsn, embedded=embedded, issuers=issuers, issuer=issuer)
    clients = run_on_issuer(database, lambda context: context.issuer.clients.list_all())
    now = utc_now()
    if json:
        print_json([client_document(client, now) for client in clients])
    else:
        print_clients(clients, now)


def show(
    client_id: ClientId,
    *,
    json: flags.Json = False,
    dsn: flags.Dsn = None,
    embedded: flags.Embedded = None,
    issuers: flags.Issuers = None,
    issuer: flags.IssuerChoice = None,
) -> None:
    """Show a client: its settings, its secrets without their values, and its history."""

    async def work(context: CommandContext) -> tuple[Client, list[ClientEventDocument]]:
        client = await context.issuer.registry.load(client_id)
        if client is None:
            msg = f"no client {client_id!r} is registered with {context.identifier.url}"
            raise UnknownClient(msg)
        return client, list(await context.history.read_client_events(client_id))

    database = DatabaseFlags(dsn=dsn, embedded=embedded, issuers=issuers, issuer=issuer)
    client, history = run_on_issuer(database, work)
    if json:
        print_json(client_document(client, utc_now()) | {"history": msgspec.to_builtins(history)})
    else:
        print_client(client, history, utc_now())


def disable(
    client_id: ClientId,
    *,
    reason: flags.Reason = "disabled by an operator",
    json: flags.Json = False,
    dsn: flags.Dsn = None,
    embedded: flags.Embedded = None,
    issuers: flags.Issuers = None,
    issuer: flags.IssuerChoice = None,
    actor: flags.Actor = None,
) -> None:
    """Disable a client at once, in every process. Its tokens stay valid until they expire or are revoked."""
    checked = check_reason(reason)
    database = DatabaseFlags(dsn=dsn, embedded=embedded, issuers=issuers, issuer=issuer)
    client = run_on_issuer(
        database, lambda context: context.issuer.registry.disable(client_id, checked, context.cause), actor=actor
    )
    _print_state(client, json=json)


def enable(
    client_id: ClientId,
    *,
    json: flags.Json = False,
    dsn: flags.Dsn = None,
    embedded: flags.Embedded = None,
    issuers: flags.Issuers = None,
    issuer: flags.IssuerChoice = None,
    actor: flags.Actor = None,
) -> None:
    """Enable a disabled client."""
    database = DatabaseFlags(dsn=dsn, embedded=embedded, issuers=issuers, issuer=issuer)
    client = run_on_issuer(
        database, lambda context: context.issuer.registry.enable(client_id, context.cause), actor=actor
    )
    _print_state(client, json=json)


def _print_state(client: Client, *, json: bool) -> None:
    if json:
        print_json(client_document(client, utc_now()))
    else:
        print_result(f"{client.client_id} is {'enabled' if client.enabled else 'disabled'}")
