"""The one module that touches the `eventsourcing` library: what is recorded, in its vocabulary.

Taken from it are the parts without I/O: `StoredEvent`, `Notification`, `Mapper`, the event and aggregate protocols and
the error classes, so that its tools and its conformance suites apply to this log. Its recorders are synchronous and are
not used.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from eventsourcing.domain import DomainEventProtocol, ImmutableAggregateProtocol
from eventsourcing.persistence import IntegrityError, JSONTranscoder, Mapper, Notification, StoredEvent
from msgspec import Struct

from ledger.domain.codec import CODEC, Codec
from ledger.domain.events import Event

__all__ = [
    "AggregateProtocol",
    "Cause",
    "EventMapper",
    "EventToStore",
    "LogHead",
    "RecordedEvent",
    "Recorder",
    "StoredEvent",
    "StreamEvent",
    "StreamGuard",
    "Take",
    "VersionConflict",
    "Write",
    "WriteResult",
    "stream_id",
]

AggregateProtocol = ImmutableAggregateProtocol[UUID]
"""What a fold of a stream satisfies: an id and a version, never mutated."""


class Cause(Struct, frozen=True, kw_only=True):
    """Who asked for a change and from where; recorded beside every event.

    `actor` is a kind and a name: `client:<client_id>` over HTTP, `operator:<login>` from the command line.
    """

    actor: str
    request_id: str | None = None
    remote_address: str | None = None


class StreamEvent(Struct, frozen=True):
    """An event at its place in a stream; versions are dense from 1."""

    originator_id: UUID
    originator_version: int
    event: Event


@dataclass(frozen=True)
class EventToStore(StoredEvent):
    """A row on its way into the log: the library's stored event, with what we record besides."""

    schema_version: int = 1
    actor: str | None = None
    request_id: str | None = None
    remote_address: str | None = None


@dataclass(frozen=True)
class RecordedEvent(Notification):
    """A row of the log. `id` is its position; `recorded_at` never decreases along positions."""

    schema_version: int
    recorded_at: datetime
    actor: str | None
    request_id: str | None
    remote_address: str | None

    @property
    def position(self) -> int:
        """Where in the log this event is; dense from 1 in commit order."""
        return self.id


class VersionConflict(IntegrityError):
    """A stream has moved on since it was read: reload, decide again."""


def stream_id(event: StoredEvent) -> UUID:
    """The stream of a row. The library allows ids that are text; here they are UUIDs. Raises ValueError otherwise."""
    originator_id = event.originator_id
    return originator_id if isinstance(originator_id, UUID) else UUID(originator_id)


class StreamGuard(Struct, frozen=True):
    """A stream that a decision relied on without writing to it: the write holds only while it is at this version."""

    stream_id: UUID
    version: int


class Write(Struct, frozen=True):
    """Events that are recorded together or not at all. Within a stream their versions are dense and ascending."""

    events: Sequence[StoredEvent]
    guards: Sequence[StreamGuard] = ()


class WriteResult(Struct, frozen=True):
    """Where a write landed: the positions of its events, and the instant recorded for all of them."""

    positions: Sequence[int]
    recorded_at: datetime


class LogHead(Struct, frozen=True):
    """The newest position of a log, 0 when it is empty, and when it was recorded."""

    position: int
    recorded_at: datetime


Take = Callable[[], Sequence[Write]]
"""Gives the writes that are to be recorded next; asked once."""


class Recorder(Protocol):
    """One log: the methods of the library's ApplicationRecorder as coroutines, and group writes.

    Every method raises `ledger.domain.errors.Unavailable` when the log cannot be reached.
    """

    async def write(self, writes: Sequence[Write]) -> Sequence[WriteResult | VersionConflict]:
        """Record many independent writes in one transaction, in this order.

        A write that conflicts is answered with its VersionConflict, records nothing, and does not disturb the others.
        """
        ...

    async def write_next(self, take: Take) -> Sequence[WriteResult | VersionConflict]:
        """Record what is given once it can be, as `write` does: what comes while others are waited for goes along.

        When this raises before it asked, nothing was given.
        """
        ...

    async def insert_events(self, stored_events: Sequence[StoredEvent]) -> Sequence[int]:
        """Record one write; return its positions. Raises VersionConflict."""
        ...

    async def select_events(
        self,
        originator_id: UUID,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[RecordedEvent]:
        """The events of a stream in version order, bounded by version."""
        ...

    async def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[RecordedEvent]:
        """A page of the log in position order, from start to stop, of these topics (all when empty)."""
        ...

    async def max_notification_id(self) -> int | None:
        """The newest position, or None when the log is empty."""
        ...

    async def head(self) -> LogHead:
        """The newest position and its instant."""
        ...


class EventMapper(Mapper[UUID]):
    """The library's mapper over our codec: explicit topics, canonical payloads, upcasting by schema version."""

    def __init__(self, codec: Codec = CODEC) -> None:
        super().__init__(JSONTranscoder())
        self._codec = codec

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID], cause: Cause | None = None) -> EventToStore:
        """The row of a StreamEvent. Raises TypeError for any other kind of event."""
        if not isinstance(domain_event, StreamEvent):
            msg = f"only a StreamEvent can be recorded, got {type(domain_event).__name__}"
            raise TypeError(msg)
        event = domain_event.event
        return EventToStore(
            originator_id=domain_event.originator_id,
            originator_version=domain_event.originator_version,
            topic=event.TOPIC,
            state=self._codec.encode(event),
            schema_version=event.SCHEMA_VERSION,
            actor=cause.actor if cause else None,
            request_id=cause.request_id if cause else None,
            remote_address=cause.remote_address if cause else None,
        )

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        """The StreamEvent of a row. Raises a StoredDataError when the row cannot be read by this code."""
        schema_version = getattr(stored_event, "schema_version", 1)
        return StreamEvent(
            stream_id(stored_event),
            stored_event.originator_version,
            self._codec.decode(stored_event.topic, schema_version, stored_event.state),
        )

    @property
    def decode(self) -> Callable[[str, int, bytes], Event]:
        """The event of a topic, a schema version and a payload. It raises a StoredDataError when it cannot be read."""
        return self._codec.decode
