"""Which writes of a batch may be recorded, and at which positions: decided while the log stands still."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from ledger.domain.recording import (
    NewEvent,
    RecordedEvent,
    VersionConflict,
    Write,
    WriteResult,
)


def streams_of(writes: Sequence[Write]) -> set[UUID]:
    """Every stream whose version matters to these writes."""
    streams = {event.stream_id for write in writes for event in write.events}
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
        version = current.get(guard.stream_id, 0)
        if version != guard.version:
            return VersionConflict(guard.stream_id, version=version, required=guard.version)
    after: dict[UUID, int] = {}
    for event in write.events:
        stream = event.stream_id
        version = after.get(stream, current.get(stream, 0))
        if event.stream_version != version + 1:
            return VersionConflict(stream, version=version, required=event.stream_version - 1)
        after[stream] = event.stream_version
    return after


def _at(event: NewEvent, position: int, recorded_at: datetime) -> RecordedEvent:
    return RecordedEvent(
        stream_id=event.stream_id,
        stream_version=event.stream_version,
        topic=event.topic,
        payload=event.payload,
        position=position,
        schema_version=event.schema_version,
        recorded_at=recorded_at,
        actor=event.actor,
        request_id=event.request_id,
        remote_address=event.remote_address,
    )
