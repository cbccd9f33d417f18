"""Results for spreadsheets: comma-separated values with a line of headings (RFC 4180), a row at a time."""

import csv
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from api.cli.output import printable
from api.http.audit.documents import EventDocument, TokenDocument

TOKEN_COLUMNS = (
    *("jti", "state", "client_id", "subject", "scope", "audience", "grant_type", "grant_id", "token_format"),
    *("issued_at", "expires_at", "issued_position", "issued_by", "issued_from", "issued_request_id"),
    *("revoked_at", "revoked_position", "revoked_by", "revoked_from", "revoked_request_id", "reason"),
    *("as_of", "as_of_position"),
)
EVENT_COLUMNS = (
    *("position", "recorded_at", "type", "actor", "request_id", "remote_address"),
    *("stream_id", "stream_version", "schema_version", "data"),
)
FORMULA = ("=", "+", "-", "@")
"""What a spreadsheet would take for the beginning of a formula; a reason or a name may begin with one."""


def write_row(cells: Sequence[Any]) -> None:
    """A line of comma-separated values; none is empty, instants are RFC 3339."""
    csv.writer(sys.stdout, lineterminator="\n").writerow([_cell(cell) for cell in cells])
    sys.stdout.flush()


def token_values(token: TokenDocument) -> tuple[Any, ...]:
    """A token by TOKEN_COLUMNS."""
    issued, revoked = token.issued, token.revoked
    of_revocation: tuple[Any, ...] = (None,) * 6
    if revoked is not None:
        where = (revoked.position, revoked.actor, revoked.remote_address, revoked.request_id)
        of_revocation = (revoked.revoked_at, *where, revoked.reason)
    return (
        *(token.jti, token.state, token.client_id, token.subject, token.scope, " ".join(token.audience)),
        *(token.grant_type, token.grant_id, token.token_format, token.issued_at, token.expires_at),
        *(issued.position, issued.actor, issued.remote_address, issued.request_id),
        *of_revocation,
        *(token.as_of.instant, token.as_of.position),
    )


def event_values(event: EventDocument) -> tuple[Any, ...]:
    """An event by EVENT_COLUMNS; `data` is JSON."""
    return (
        *(event.position, event.recorded_at, event.type, event.actor, event.request_id, event.remote_address),
        *(event.stream_id, event.stream_version, event.schema_version, msgspec.json.encode(event.data).decode()),
    )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return str(msgspec.to_builtins(value))
    text = printable(str(value))
    return f"'{text}" if text.startswith(FORMULA) else text
