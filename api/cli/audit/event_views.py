"""Recorded events for people: what happened, by whom, from where. What they are made from withholds what is secret."""

from collections.abc import Iterable, Sequence
from typing import Any

from api.cli.output import format_instant, print_table
from api.http.audit.documents import ClientEventDocument, EventDocument

COLUMNS = ("POSITION", "RECORDED AT", "EVENT", "BY", "FROM", "DETAILS")
WHOLE = ("POSITION", "RECORDED AT", "EVENT", "BY")

OF_THE_WHOLE = ("settings", "secret")
"""Fields of events that are a record of their own: its fields are what there is to tell."""

OF_THE_RECORD = {"registered_at", "updated_at", "created_at", "disabled_at", "enabled_at", "issued_at", "revoked_at"}
"""Fields that say when it happened, as the record beside them does; JSON and CSV have them."""


def show_events(events: Iterable[EventDocument], *, leave_out: Sequence[str] = ()) -> None:
    """A table of events. `leave_out` are fields that are the same all along, such as the id of what it is about."""
    print_table(COLUMNS, [event_cells(event, leave_out) for event in events], whole=WHOLE)


def show_client_events(events: Iterable[ClientEventDocument]) -> None:
    """A client's history: who changed what, from what to what."""
    show_events(events, leave_out=("client_id",))


def event_cells(event: EventDocument, leave_out: Sequence[str] = ()) -> tuple[str, ...]:
    """An event as a row of COLUMNS."""
    return (
        str(event.position),
        format_instant(event.recorded_at),
        event.type,
        event.actor or "-",
        event.remote_address or "-",
        ", ".join(_details(event, leave_out)),
    )


def event_line(event: EventDocument) -> str:
    """An event in one line by itself, for whoever watches."""
    position, recorded_at, kind, actor, origin, details = event_cells(event)
    return f"{position:>8}  {recorded_at}  {kind:<21}  {actor}  {origin}  {details}"


def _details(event: EventDocument, leave_out: Sequence[str]) -> list[str]:
    if isinstance(event, ClientEventDocument) and event.type == "client.updated":
        return [f"{change.field} {shown(change.old)} -> {shown(change.new)}" for change in event.changes]
    fields: dict[str, Any] = {}
    for name, value in event.data.items():
        fields |= value if name in OF_THE_WHOLE and isinstance(value, dict) else {name: value}
    hidden = OF_THE_RECORD.union(leave_out)
    request = [f"request {event.request_id}"] if event.request_id else []
    return [f"{name} {shown(value)}" for name, value in fields.items() if name not in hidden] + request


def shown(value: Any) -> str:
    """A value of an event for people."""
    match value:
        case list() | tuple():
            return " ".join(map(str, value)) or "(none)"
        case None:
            return "-"
        case _:
            return str(value)
