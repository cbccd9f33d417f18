"""What the use cases need from outside: the two views they read, and somewhere to write."""

from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from ledger.domain.client import Client
from ledger.domain.recording import RecordedEvent, Write, WriteResult


class ActiveToken(Struct, frozen=True):
    """A row of `active_tokens`: what introspection answers for a digest. `scope` is space-delimited.

    Times are seconds since 1970, whole. The row may outlive the token: compare `expires_at`.
    """

    jti: UUID
    client_id: str
    subject: str
    scope: str
    audience: tuple[str, ...]
    issued_at: int
    expires_at: int


class ActiveTokens(Protocol):
    """The tokens that are neither revoked nor long expired."""

    def get(self, digest: bytes) -> Awaitable[ActiveToken | None]:
        """The token of a digest, as of this call: everything answered before it is seen. Raises Unavailable.

        The read begins with the call, so that it can run beside others; the answer need not be awaited.
        """
        ...


class Clients(Protocol):
    """The registered clients."""

    def get(self, client_id: str) -> Awaitable[Client | None]:
        """A client as of this call: everything answered before is seen. Raises Unavailable."""
        ...

    async def all(self) -> Sequence[Client]:
        """Every client, by id."""
        ...


class Streams(Protocol):
    """The log, stream by stream."""

    async def read_stream(self, stream_id: UUID) -> Sequence[RecordedEvent]:
        """The events of a stream in version order. Raises Unavailable."""
        ...


class Writer(Protocol):
    """Takes writes from many requests at once."""

    async def write(self, write: Write) -> WriteResult:
        """Record one write. When this returns it is durable and every view shows it.

        Cancelling the caller does not cancel the write. Raises VersionConflict or Unavailable.
        """
        ...


def to_epoch_seconds(instant: datetime) -> int:
    """Whole seconds since 1970, rounded down."""
    return int(instant.timestamp() // 1)
