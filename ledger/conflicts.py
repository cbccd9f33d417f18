"""Which writes of a batch may be recorded: optimistic concurrency, decided while the log stands still."""

from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from ledger.recording import VersionConflict, Write, stream_id


def streams_of(writes: Sequence[Write]) -> set[UUID]:
    """Every stream whose version matters to these writes."""
    streams = {stream_id(event) for write in writes for event in write.events}
    streams.update(guard.stream_id for write in writes for guard in write.guards)
    return streams


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
