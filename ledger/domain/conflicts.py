"""Which writes of a batch may be recorded, and at which positions: decided while the log stands still."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from ledger.domain.recording import (
    EventToStore,
    RecordedEvent,
    StoredEvent,
    VersionConflict,
    Write,
    WriteResult,
    stream_id,
)


def streams_of(writes: Sequence[Write]) -> set[UUID]:
    """Every stream whose version matters to these writes."""
    streams = {stream_id(event) for write in writes for event in write.events}
    streams.update(guard.stream_id for write in writes for guard in write.guards)
    return streams


class Numbered(Struct, frozen=True):
    """What becomes of each write of a batch, those that survive, and their rows in position order."""

    results: Sequence[WriteResult | VersionConflict]
    survivors: Sequence[Write]
    events: Sequence[RecordedEvent]


def number_writes(
    writes: Sequence[Write], versions: Mapping[UUID, int], *, head: int, recorded_at: datetime
) -> Numbered:
    """Give the writes that do not conflict the positions after the head; `versions` as find_conflicts has it."""
    results: list[WriteResult | VersionConflict] = []
    survivors: list[Write] = []
    events: list[RecordedEvent] = []
    for write, conflict in zip(writes, find_conflicts(writes, versions), strict=True):
        if conflict is not None:
            results.append(conflict)
            continue
        first = head + len(events) + 1
        positions = range(first, first + len(write.events))
        events.extend(_at(event, place, recorded_at) for event, place in zip(write.events, positions, strict=True))
        results.append(WriteResult(list(positions), recorded_at))
        survivors.append(write)
    return Numbered(results, survivors, events)


def results_after(position: int, writes: Sequence[Write], recorded_at: datetime) -> list[WriteResult]:
    """What becomes of writes that are all recorded, the first of them after this position."""
    results = []
    for write in writes:
        first, position = position + 1, position + len(write.events)
        results.append(WriteResult(range(first, position + 1), recorded_at))
    return results


def find_conflicts(writes: Sequence[Write], versions: Mapping[UUID, int]) -> Iterator[VersionConflict | None]:
    """For each write in turn its conflict, or None when it may be recorded; earlier writes of the batch count.

    `versions` says where the streams are now; one that it does not name does not exist.
    """
    current = dict(versions)
    for write in writes:
        after = _versions_after(write, current)
        if isinstance(after, dict):
            current.update(after)
            yield None
        else:
            yield after


def _versions_after(write: Write, current: Mapping[UUID, int]) -> dict[UUID, int] | VersionConflict:
    for guard in write.guards:
        if current.get(guard.stream_id, 0) != guard.version:
            msg = f"stream {guard.stream_id} is at version {current.get(guard.stream_id, 0)}, not at {guard.version}"
            return VersionConflict(msg)
    after: dict[UUID, int] = {}
    for event in write.events:
        stream = stream_id(event)
        version = after.get(stream, current.get(stream, 0))
        if event.originator_version != version + 1:
            msg = f"stream {stream} is at version {version}: event {event.originator_version} does not follow"
            return VersionConflict(msg)
        after[stream] = event.originator_version
    return after


def _at(event: StoredEvent, position: int, recorded_at: datetime) -> RecordedEvent:
    known = event if isinstance(event, EventToStore) else None
    return RecordedEvent(
        originator_id=stream_id(event),
        originator_version=event.originator_version,
        topic=event.topic,
        state=event.state,
        id=position,
        schema_version=known.schema_version if known else 1,
        recorded_at=recorded_at,
        actor=known.actor if known else None,
        request_id=known.request_id if known else None,
        remote_address=known.remote_address if known else None,
    )
