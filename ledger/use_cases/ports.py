"""The ports of the use cases: two views to read, and the log to read and write."""

from collections.abc import Awaitable, Sequence
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from ledger.domain.client import Client
from ledger.domain.recording import RecordedEvent, Write, WriteResult


class ActiveToken(Struct, frozen=True):
    """A row of `active_tokens`. `scope` is space-delimited; times are whole seconds since 1970.

    A row may still be there after `expires_at`, so readers compare it with the time.
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
        """Find the token of a digest. Sees everything acknowledged before the call. Raises Unavailable.

        The read starts with the call, so that it can share a query with others, and need not be awaited.
        """
        ...


class Clients(Protocol):
    """The registered clients."""

    def get(self, client_id: str) -> Awaitable[Client | None]:
        """Find a client. Sees everything acknowledged before the call. Raises Unavailable."""
        ...

    async def list_all(self) -> Sequence[Client]:
        """List the clients by id."""
        ...


class Streams(Protocol):
    """The streams of the log."""

    async def read_stream(self, stream_id: UUID) -> Sequence[RecordedEvent]:
        """Read the events of a stream in version order. Raises Unavailable."""
        ...


class Writer(Protocol):
    """Appends writes, many at a time."""

    async def write(self, write: Write) -> WriteResult:
        """Append one write. When this returns it is durable and visible in the views.

        Cancelling the caller does not cancel the write. Raises VersionConflict or Unavailable.
        """
        ...
