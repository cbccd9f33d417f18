"""How tokens are printed, with their events."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from api.cli.audit.event_views import print_event_table
from api.cli.audit.source import AuditSource
from api.cli.output import format_instant, print_fields, print_result, print_table
from api.http.audit.documents import EventDocument, TokenDocument
from ledger.domain.errors import Archived
from ledger.domain.token_record import Recorded

COLUMNS = ("ISSUED AT", "JTI", "STATE", "ENDS", "CLIENT", "SUBJECT", "SCOPE", "POSITION")


class TokenEvents(Struct, frozen=True):
    """The events of a token. If they are archived, there are none here and `archived` says where they are."""

    events: Sequence[EventDocument]
    archived: str = ""


async def read_token_events(source: AuditSource, jti: UUID) -> TokenEvents:
    """Read the events of a token. Raises UnknownToken, Unavailable."""
    try:
        return TokenEvents(await source.read_token_events(jti))
    except Archived as error:
        return TokenEvents((), str(error))


def token_with_events(token: TokenDocument, events: TokenEvents) -> dict[str, Any]:
    """Convert a token and its history to JSON."""
    document: dict[str, Any] = msgspec.to_builtins(token)
    archived = {"archived": events.archived} if events.archived else {}
    return document | {"events": msgspec.to_builtins(events.events)} | archived


def print_token(token: TokenDocument, events: TokenEvents) -> None:
    """Print the state of a token, its fields and its events."""
    print_result(token.explanation)
    print_result()
    fields = {
        "state": token.state,
        "as of": f"{format_instant(token.as_of.instant)}, position {token.as_of.position}",
        "jti": str(token.jti),
        "client": token.client_id,
        "subject": token.subject,
        "scope": token.scope or "(none)",
        "audience": " ".join(token.audience) or "(none)",
        "grant": f"{token.grant_type}, {token.grant_id}",
        "format": token.token_format,
        "issued": f"{format_instant(token.issued_at)} {_format_cause(token.issued)}",
        "expires": format_instant(token.expires_at),
    }
    if token.revoked is not None:
        fields["revoked"] = f"{format_instant(token.revoked.revoked_at)} {_format_cause(token.revoked)}"
        fields["reason"] = token.revoked.reason
    print_fields(fields)
    print_result()
    print_token_events(events)


def print_token_table(tokens: Iterable[TokenDocument]) -> None:
    """Print one row per token."""
    rows = [
        (
            *(format_instant(token.issued_at), str(token.jti), token.state),
            format_instant(token.revoked.revoked_at if token.revoked is not None else token.expires_at),
            *(token.client_id, token.subject, token.scope, str(token.issued.position)),
        )
        for token in tokens
    ]
    print_table(COLUMNS, rows, unbroken=COLUMNS[:3])


def print_token_events(events: TokenEvents) -> None:
    """Print one row per event, or where the events are."""
    if events.archived:
        print_result(events.archived)
    else:
        print_event_table(events.events, leave_out=("jti",))


def _format_cause(recorded: Recorded) -> str:
    origin = f" from {recorded.remote_address}" if recorded.remote_address else ""
    request = f", request {recorded.request_id}" if recorded.request_id else ""
    return f"by {recorded.actor or 'unknown'}{origin}{request}, position {recorded.position}"
