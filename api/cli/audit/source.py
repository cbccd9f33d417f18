"""The interface through which the audit commands read history, from a database or over HTTP.

Both implementations return the documents of `api.http.audit.documents`. Every method raises Unavailable when the
history cannot be read now, and a Refusal or an OperationError that says what to change.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from api.http.audit.documents import (
    ClientEventDocument,
    EventDocument,
    EventPageDocument,
    SummaryDocument,
    TokenDocument,
    TokenPageDocument,
)
from api.http.audit.window import Bucket
from ledger.use_cases.audit import EventQuery, TokenQuery

AsOf = datetime | int | None
"""The moment of a query: an instant, a position, or None for now."""

PAGE_SIZE = 500
"""The number of tokens or events read at once."""


def limit_page_size(remaining: int | None) -> int:
    """The size of the next page if this many items are still wanted; None means all."""
    return PAGE_SIZE if remaining is None else min(PAGE_SIZE, remaining)


class SummaryQuery(Struct, frozen=True, kw_only=True):
    """The parameters of a summary; the source chooses a default for None."""

    since: datetime | None = None
    until: datetime | None = None
    bucket: Bucket = "hour"
    client_id: str | None = None


class AuditSource(Protocol):
    """The history of one issuer."""

    async def find_token(self, jti: UUID, as_of: AsOf = None) -> TokenDocument:
        """Find a token by its jti. Raises UnknownToken."""
        ...

    async def find_presented_token(self, token: str, as_of: AsOf = None) -> TokenDocument:
        """Find a token by its value. Raises UnknownToken, which does not quote it."""
        ...

    async def read_token_events(self, jti: UUID) -> Sequence[EventDocument]:
        """Read all events of a token, in order. Raises UnknownToken, Archived."""
        ...

    def read_token_pages(
        self, query: TokenQuery, as_of: AsOf = None, *, limit: int | None = None
    ) -> AsyncIterator[TokenPageDocument]:
        """Read at most `limit` tokens as of one moment, newest first; each page is read when it is requested.

        There is at least one page. If the last one has a `next`, more tokens may match.
        """
        ...

    async def read_event_page(self, query: EventQuery, *, after: int, limit: int = PAGE_SIZE) -> EventPageDocument:
        """Read at most `limit` events after a position."""
        ...

    async def read_last_position(self) -> int:
        """Read the newest position of the log."""
        ...

    def stream_events(self, query: EventQuery, *, after: int) -> AsyncGenerator[EventDocument]:
        """Yield events after a position as they are recorded, filtered by `types`, `client_id` and `actor`.

        When the connection is lost it ends or raises Unavailable; call it again after the last event received.
        """
        ...

    async def read_client_events(self, client_id: str) -> Sequence[ClientEventDocument]:
        """Read who changed a client, when, from what to what. Raises UnknownClient."""
        ...

    async def summarize(self, query: SummaryQuery) -> SummaryDocument:
        """Count tokens over time and per client."""
        ...
