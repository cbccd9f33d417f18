"""Appending one write to an event log, where only whether it is recorded matters."""

from collections.abc import Sequence

from ledger.domain.recording import EventLog, NewEvent, VersionConflict, Write


async def append_events(event_log: EventLog, events: Sequence[NewEvent]) -> Sequence[int]:
    """The positions of the events. Raises VersionConflict."""
    (result,) = await event_log.append([Write(events)])
    if isinstance(result, VersionConflict):
        raise result
    return result.positions
