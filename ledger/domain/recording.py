"""The vocabulary of the event log: events and their places, writes, and the log itself."""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from ledger.domain.clock import RandomBytes
from ledger.domain.codec import CODEC, Codec
from ledger.domain.events import Event

SALT_BYTES = 16


class Cause(Struct, frozen=True, kw_only=True):
    """Who asked for a change and from where; recorded with every event.

    `actor` is a kind and a name: `client:<client_id>` over HTTP, `operator:<login>` from the command line.
    """

    actor: str
    request_id: str | None = None
    remote_address: str | None = None


class StreamEvent(Struct, frozen=True):
    """An event at its place in a stream; versions are dense from 1."""

    stream_id: UUID
    stream_version: int
    event: Event


class NewEvent(Struct, frozen=True, kw_only=True):
    """An encoded event, ready to be appended. It has no position yet.

    `salt` is what its personal values will be hashed with; it makes the event distinguishable from every other.
    """

    stream_id: UUID
    stream_version: int
    topic: str
    payload: bytes
    schema_version: int = 1
    actor: str | None = None
    request_id: str | None = None
    remote_address: str | None = None
    salt: bytes | None = None


class RecordedEvent(Struct, frozen=True, kw_only=True):
    """A row of the log. Positions are dense from 1 in commit order; `recorded_at` never decreases along them."""

    position: int
    recorded_at: datetime
    stream_id: UUID
    stream_version: int
    topic: str
    payload: bytes
    schema_version: int
    actor: str | None
    request_id: str | None
    remote_address: str | None
    salt: bytes | None = None


class VersionConflict(Exception):
    """A stream is not at the version that a write requires. Read it again and decide again."""

    def __init__(self, stream_id: UUID, *, version: int) -> None:
        """`version` is where the stream is."""
        super().__init__(f"stream {stream_id} is at version {version}")
        self.stream_id = stream_id
        self.version = version


class StreamGuard(Struct, frozen=True):
    """A stream that a decision relied on without writing to it: the write holds only while it is at this version."""

    stream_id: UUID
    version: int


class Write(Struct, frozen=True):
    """Events that are recorded together or not at all. Within a stream their versions are dense and ascending."""

    events: Sequence[NewEvent]
    guards: Sequence[StreamGuard] = ()


class WriteResult(Struct, frozen=True):
    """Where a write landed: the positions of its events, and the instant recorded for all of them."""

    positions: Sequence[int]
    recorded_at: datetime


class LogHead(Struct, frozen=True):
    """The newest position of a log, 0 when it is empty, and when it was recorded."""

    position: int
    recorded_at: datetime


class EventLog(Protocol):
    """The log of one issuer. Every method raises `ledger.domain.errors.Unavailable` when the log cannot be reached."""

    async def append(self, writes: Sequence[Write]) -> Sequence[WriteResult | VersionConflict]:
        """Record independent writes in one transaction, in this order.

        A write in conflict gets its VersionConflict, records nothing, and does not disturb the others.
        """
        ...

    async def read_stream(self, stream_id: UUID) -> Sequence[RecordedEvent]:
        """The events of a stream in version order."""
        ...

    async def read(self, after: int, limit: int) -> Sequence[RecordedEvent]:
        """A page of the log in position order: up to `limit` events after a position."""
        ...

    async def head(self) -> LogHead:
        """The newest position and when it was recorded."""
        ...


class EventMapper:
    """Encodes events into rows and decodes rows into events: explicit topics, canonical payloads, upcasting."""

    def __init__(self, codec: Codec = CODEC, random_bytes: RandomBytes = secrets.token_bytes) -> None:
        self._codec = codec
        self._random_bytes = random_bytes
        self.decode_payload: Callable[[str, int, bytes], Event] = codec.decode
        """The event of a topic, a schema version and a payload. Raises a StoredDataError when it cannot be read."""

    def encode(self, stream_event: StreamEvent, cause: Cause | None = None) -> NewEvent:
        """The row of an event."""
        event = stream_event.event
        return NewEvent(
            stream_id=stream_event.stream_id,
            stream_version=stream_event.stream_version,
            topic=event.TOPIC,
            payload=self._codec.encode(event),
            schema_version=event.SCHEMA_VERSION,
            actor=cause.actor if cause else None,
            request_id=cause.request_id if cause else None,
            remote_address=cause.remote_address if cause else None,
            salt=self._random_bytes(SALT_BYTES),
        )

    def decode(self, row: NewEvent | RecordedEvent) -> StreamEvent:
        """The event of a row. Raises a StoredDataError when this release cannot read it."""
        event = self._codec.decode(row.topic, row.schema_version, row.payload)
        return StreamEvent(row.stream_id, row.stream_version, event)
