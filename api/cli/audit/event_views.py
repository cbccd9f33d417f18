"""How events are printed. The event documents contain no secrets."""

from collections.abc import Iterable, Sequence
from typing import Any

from api.cli.output import format_instant, print_table
from api.http.audit.documents import ClientEventDocument, EventDocument

COLUMNS = ("POSITION", "RECORDED AT", "EVENT", "BY", "FROM", "DETAILS")

NESTED_FIELDS = ("settings", "secret")
"""Event fields that are objects; their own fields are printed instead."""

TIME_FIELDS = {"registered_at", "updated_at", "created_at", "disabled_at", "enabled_at", "issued_at", "revoked_at"}
"""Event fields that repeat the time of recording; only JSON and CSV contain them."""


def print_event_table(events: Iterable[EventDocument], *, leave_out: Sequence[str] = ()) -> None:
    """Print one row per event, without the fields in `leave_out`."""
    print_table(COLUMNS, [_event_cells(event, leave_out) for event in events], unbroken=COLUMNS[:4])


def format_event_line(event: EventDocument) -> str:
    """Format an event as one line."""
    position, recorded_at, kind, actor, origin, details = _event_cells(event)
    return f"{position:>8}  {recorded_at}  {kind:<21}  {actor}  {origin}  {details}"


def _event_cells(event: EventDocument, leave_out: Sequence[str] = ()) -> tuple[str, ...]:
    return (
        str(event.position),
        format_instant(event.recorded_at),
        event.type,
        event.actor or "-",
        event.remote_address or "-",
        ", ".join(_details(event, leave_out)),
    )


def _details(event: EventDocument, leave_out: Sequence[str]) -> list[str]:
    if isinstance(event, ClientEventDocument) and event.type == "client.updated":
        return [f"{change.field} {_format(change.old)} -> {_format(change.new)}" for change in event.changes]
    fields: dict[str, Any] = {}
    for name, value in event.data.items():
        fields |= value if name in NESTED_FIELDS and isinstance(value, dict) else {name: value}
    hidden = TIME_FIELDS.union(leave_out)
    request = [f"request {event.request_id}"] if event.request_id else []
    return [f"{name} {_format(value)}" for name, value in fields.items() if name not in hidden] + request


def _format(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or "(none)"
    return "-" if value is None else str(value)
