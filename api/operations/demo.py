"""Demo mode: clients with public secrets, which never share a database with real clients."""

from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr

from api.operations.client_changes import apply_changes, plan_changes
from api.operations.clients_file import DeclaredClient
from ledger.domain.client import MAX_VALID_SECRETS, Client
from ledger.domain.clock import utc_now
from ledger.domain.errors import Refusal
from ledger.domain.events import ClientSettings
from ledger.domain.grant import CLIENT_CREDENTIALS
from ledger.domain.recording import Cause
from ledger.use_cases.issuer import Issuer


def _declare(client_id: str, secret: str, name: str, **settings: Any) -> DeclaredClient:
    granted = ClientSettings(name=name, grant_types=(CLIENT_CREDENTIALS,), demo=True, **settings)
    return DeclaredClient(client_id, granted, (SecretStr(secret),))


USER_SECRET, SERVICE_SECRET = "user-client-secret", "service-client-jwt-secret"
DEMO_CLIENTS = (
    _declare(
        "user-client-opaque",
        USER_SECRET,
        "Demo: a client application",
        scopes=("country.read", "customer.read", "customer.write"),
        access_token_lifetime=14400,
    ),
    _declare("service-client-jwt", SERVICE_SECRET, "Demo: a resource server", introspection="issuer"),
    _declare("auditor", "auditor-secret", "Demo: an auditor", scopes=("audit.read",)),
)
CAUSE = Cause(actor="operator:demo")


class DemoRefused(Refusal):
    """Demo clients and real clients would share a database."""


def refuse_real_clients(issuer: Issuer, clients: Sequence[Client]) -> None:
    """Raise DemoRefused if the issuer has a client that is not a demo client."""
    real = [client.client_id for client in clients if not client.settings.demo]
    if real:
        msg = (
            f"issuer {issuer.identifier.url} has {_count_clients(real)} not from --demo, which adds clients with "
            "public secrets. Use another database, or serve without --demo."
        )
        raise DemoRefused(msg)


def refuse_demo_clients(issuer: Issuer, clients: Sequence[Client]) -> None:
    """Raise DemoRefused if the issuer has enabled demo clients, whose secrets are public."""
    demo = [client.client_id for client in clients if client.settings.demo and client.enabled]
    if demo:
        disable = "\n".join(
            f"    token-ledger clients disable {client_id} --issuer {issuer.identifier.url}" for client_id in demo
        )
        msg = (
            f"issuer {issuer.identifier.url} has {_count_clients(demo)} from --demo, whose secrets are public. "
            f"Serve with --demo if this is a demo, or disable them first:\n{disable}"
        )
        raise DemoRefused(msg)


async def register_demo_clients(issuer: Issuer) -> list[str]:
    """Register missing demo clients and restore changed ones; returns the ids of those it changed.

    Disabled clients stay disabled. Raises DemoRefused if the issuer has real clients.
    """
    clients = await issuer.clients.list_all()
    refuse_real_clients(issuer, clients)
    registered = {client.client_id: client for client in clients}
    changed = []
    for declared in DEMO_CLIENTS:
        client = registered.get(declared.client_id)
        full = client is not None and len(client.valid_secrets(utc_now())) >= MAX_VALID_SECRETS
        wanted = DeclaredClient(declared.client_id, declared.settings, ()) if full else declared
        (change,) = plan_changes((wanted,), registered, utc_now())
        await apply_changes(issuer.registry, (change,), CAUSE, {})
        if change.action != "unchanged":
            changed.append(declared.client_id)
    return changed


def format_example_requests(url: str) -> str:
    """Return four requests to paste into a shell: token, introspect, revoke, introspect again."""

    def request(endpoint: str, client_id: str, secret: str, *fields: str) -> str:
        data = [f"client_id={client_id}", f"client_secret={secret}", *fields]
        if endpoint == "token":
            data.insert(0, f"grant_type={CLIENT_CREDENTIALS}")
        lines = [
            f"curl --silent --location --request POST '{url}/oauth2/{endpoint}'",
            "--header 'Content-Type: application/x-www-form-urlencoded'",
            *(f'--data-urlencode "{d}"' if "$" in d else f"--data-urlencode '{d}'" for d in data),
        ]
        return " \\\n".join(lines)

    user, resource_server, _ = DEMO_CLIENTS
    scope = f"scope={' '.join(user.settings.scopes)}"
    issue = request("token", user.client_id, USER_SECRET, scope)
    parse = """python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])'"""
    introspect = request("introspect", resource_server.client_id, SERVICE_SECRET, "token=$TOKEN")
    revoke = request("revoke", user.client_id, USER_SECRET, "token=$TOKEN")
    return (
        f"# 1. Get a token\nTOKEN=$({issue} \\\n| {parse})\n\n"
        f"# 2. Introspect it, as the resource server\n{introspect}; echo\n\n"
        f"# 3. Revoke it\n{revoke} --write-out 'HTTP %{{http_code}}\\n'\n\n"
        f"# 4. Introspect it again\n{introspect}; echo\n"
    )


def _count_clients(client_ids: Sequence[str]) -> str:
    first = ", ".join(client_ids[:3])
    more = f" and {len(client_ids) - 3} more" if len(client_ids) > 3 else ""  # noqa: PLR2004 (as many as shown)
    return f"{len(client_ids)} client{'s' if len(client_ids) != 1 else ''} ({first}{more})"
