"""Recorded events for people and programs: what happened, by whom, from where. Never a hash or a digest."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from api.cli.output import instant
from api.client_changes import compare_settings
from ledger.events import ClientRegistered, ClientSecretAdded, ClientSettings, ClientUpdated, Event
from ledger.grant import Grant
from ledger.recording import EventMapper, RecordedEvent

WITHHELD = {"digest", "hash"}
"""Fields that never leave the log: they are what a stolen copy could be tested against."""

COLUMNS = ("POSITION", "RECORDED AT", "EVENT", "BY", "REQUEST", "FROM", "DETAILS")


class EventLine(Struct, frozen=True):
    """One recorded event; `details` are its own fields."""

    position: int
    recorded_at: datetime
    event: str
    actor: str | None
    request_id: str | None
    remote_address: str | None
    details: dict[str, Any]

    def cells(self) -> tuple[str, ...]:
        """The event as a row of COLUMNS."""
        details = ", ".join(f"{name} {_shown(value)}" for name, value in self.details.items())
        return (
            str(self.position),
            instant(self.recorded_at),
            self.event,
            self.actor or "-",
            self.request_id or "-",
            self.remote_address or "-",
            details,
        )


def event_lines(rows: Iterable[RecordedEvent], *, leave_out: Sequence[str] = ()) -> list[EventLine]:
    """The events of one stream. `leave_out` are fields that are the same all along, such as the id of its subject.

    Raises StoredDataError for an event that this release cannot read.
    """
    mapper = EventMapper()
    lines = []
    settings: ClientSettings | None = None
    for row in rows:
        event = mapper.to_domain_event(row).event
        details = _details(event, settings, leave_out)
        if isinstance(event, ClientRegistered | ClientUpdated):
            settings = event.settings
        lines.append(
            EventLine(
                position=row.position,
                recorded_at=row.recorded_at,
                event=row.topic,
                actor=row.actor,
                request_id=row.request_id,
                remote_address=row.remote_address,
                details=details,
            )
        )
    return lines


def explain(grant: Grant, issued: EventLine, revoked: EventLine | None, now: datetime) -> tuple[str, str]:
    """The state of a token (active, expired or revoked), and the sentence that accounts for it."""
    origin = f"issued to {grant.client_id} at {instant(grant.issued_at)} by {issued.actor or 'unknown'}"
    if grant.revoked_at is not None:
        by = (revoked.actor if revoked else None) or "unknown"
        return "revoked", f"revoked since {instant(grant.revoked_at)} by {by}: {grant.revocation_reason}; {origin}"
    if grant.is_active(now):
        return "active", f"active until {instant(grant.expires_at)}; {origin}"
    return "expired", f"expired since {instant(grant.expires_at)}; {origin}"


def _details(event: Event, settings: ClientSettings | None, leave_out: Sequence[str]) -> dict[str, Any]:
    if isinstance(event, ClientUpdated) and settings is not None:
        return {
            change.field: {"from": change.old, "to": change.new}
            for change in compare_settings(settings, event.settings)
        }
    fields: dict[str, Any] = msgspec.to_builtins(event)
    if isinstance(event, ClientRegistered):
        fields = fields["settings"]
    elif isinstance(event, ClientSecretAdded):
        fields = fields["secret"]
    return {name: value for name, value in fields.items() if name not in WITHHELD and name not in leave_out}


def _shown(value: Any) -> str:
    match value:
        case {"from": old, "to": new}:
            return f"{_shown(old)} -> {_shown(new)}"
        case list() | tuple():
            return " ".join(map(str, value)) or "(none)"
        case None:
            return "-"
        case _:
            return str(value)
