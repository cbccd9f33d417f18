"""Tokens for people and programs."""

from collections.abc import Iterable
from typing import Any

import msgspec

from api.cli.audit.event_views import show_events
from api.cli.output import format_instant, print_fields, print_result, print_table
from api.cli.tokens.token_events import TokenEvents
from api.http.audit.documents import TokenDocument
from ledger.domain.token_record import Recorded

COLUMNS = ("ISSUED AT", "JTI", "STATE", "ENDS", "CLIENT", "SUBJECT", "SCOPE", "POSITION")
WHOLE = ("ISSUED AT", "JTI", "STATE")


def token_with_events(token: TokenDocument, events: TokenEvents) -> dict[str, Any]:
    """A token and its history as JSON, and where its events are when they are archived."""
    document: dict[str, Any] = msgspec.to_builtins(token)
    archived = {"archived": events.archived} if events.archived else {}
    return document | {"events": msgspec.to_builtins(events.there)} | archived


def show_history(token: TokenDocument, events: TokenEvents) -> None:
    """The history of a token, and in the last line what it comes to."""
    _show_events(events)
    print_result()
    print_result(token.explanation)


def show_token(token: TokenDocument, events: TokenEvents) -> None:
    """All about a token: what it comes to, what it is, what happened to it."""
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
        "issued": f"{format_instant(token.issued_at)} {_by(token.issued)}",
        "expires": format_instant(token.expires_at),
    }
    if token.revoked is not None:
        fields["revoked"] = f"{format_instant(token.revoked.revoked_at)} {_by(token.revoked)}"
        fields["reason"] = token.revoked.reason
    print_fields(fields)
    print_result()
    _show_events(events)


def show_tokens(tokens: Iterable[TokenDocument]) -> None:
    """A table of tokens."""
    print_table(COLUMNS, map(_row, tokens), whole=WHOLE)


def _show_events(events: TokenEvents) -> None:
    if events.archived:
        print_result(events.archived)
    else:
        show_events(events.there, leave_out=("jti",))


def _row(token: TokenDocument) -> tuple[str, ...]:
    return (
        format_instant(token.issued_at),
        str(token.jti),
        token.state,
        format_instant(token.revoked.revoked_at if token.revoked is not None else token.expires_at),
        token.client_id,
        token.subject,
        token.scope,
        str(token.issued.position),
    )


def _by(recorded: Recorded) -> str:
    """Who caused it, from where, in which request, and where the log has it."""
    origin = f" from {recorded.remote_address}" if recorded.remote_address else ""
    request = f", request {recorded.request_id}" if recorded.request_id else ""
    return f"by {recorded.actor or 'unknown'}{origin}{request}, position {recorded.position}"
