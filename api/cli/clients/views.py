"""How clients are printed. A secret is shown by its id, kind and times, never by its hash."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from api.cli.audit.event_views import print_event_table
from api.cli.output import format_instant, print_fields, print_note, print_result, print_table
from api.http.audit.documents import ClientEventDocument
from ledger.domain.client import Client


def client_document(client: Client, now: datetime) -> dict[str, Any]:
    """Convert a client to JSON."""
    settings: dict[str, Any] = msgspec.to_builtins(client.settings)
    secrets = [
        {
            "secret_id": secret.secret_id,
            "kind": secret.kind,
            "created_at": secret.created_at.isoformat(),
            "expires_at": secret.expires_at.isoformat() if secret.expires_at else None,
            "valid": secret in client.valid_secrets(now),
        }
        for secret in client.secrets
    ]
    return {"client_id": client.client_id, "enabled": client.enabled, **settings, "secrets": secrets}


def print_clients(clients: Sequence[Client], now: datetime) -> None:
    """Print one row per client."""
    rows = [
        (
            *(client.client_id, client.settings.name, " ".join(client.settings.grant_types) or "-"),
            *(" ".join(client.settings.scopes) or "-", client.settings.introspection),
            *(str(len(client.valid_secrets(now))), _state(client)),
        )
        for client in clients
    ]
    print_table(("CLIENT ID", "NAME", "GRANTS", "SCOPES", "INTROSPECTION", "VALID SECRETS", "STATE"), rows)


def print_client(client: Client, history: Sequence[ClientEventDocument], now: datetime) -> None:
    """Print everything about a client, with its history."""
    settings = client.settings
    print_fields(
        {
            "client id": client.client_id,
            "name": settings.name,
            "state": _state(client),
            "grant types": " ".join(settings.grant_types) or "(none)",
            "scopes": " ".join(settings.scopes) or "(none)",
            "default scopes": " ".join(settings.default_scopes) or "(none)",
            "audience": " ".join(settings.audience) or f"{client.client_id} (itself)",
            "tokens": f"{settings.token_format}, {settings.access_token_lifetime} s",
            "introspection": settings.introspection,
        }
    )
    print_result()
    secrets = [
        (
            secret.secret_id,
            "generated" if secret.kind == "sha256" else "chosen",
            format_instant(secret.created_at),
            format_instant(secret.expires_at) if secret.expires_at else "never",
            "valid" if secret in client.valid_secrets(now) else "expired",
        )
        for secret in client.secrets
    ]
    print_table(("SECRET", "KIND", "CREATED", "EXPIRES", "STATE"), secrets)
    print_result()
    print_event_table(history, leave_out=("client_id",))


def _state(client: Client) -> str:
    return ("enabled" if client.enabled else "disabled") + (", demo" if client.settings.demo else "")


def print_secret(client_id: str, secret_id: str, secret: str) -> None:
    """Print a generated secret."""
    print_fields({"client_id": client_id, "secret_id": secret_id, "client_secret": secret})
    print_note("The secret is not shown again: the ledger stores only its hash.")
