"""Where answers about the past come from: what the audit commands ask, whoever answers.

Everything is a document of `api.http.audit.documents`, so both ways show the same. Every method raises Unavailable when
nothing can be answered now, and a refusal or a OperationError that says what to change.
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
"""A moment that is asked about: an instant, a position, or None for now."""

PAGE = 500
"""How many tokens or events are asked for at once."""


def page_size(left: int | None) -> int:
    """How many to ask for when so many are still wanted; None for all."""
    return PAGE if left is None else min(PAGE, left)


class SummaryQuestion(Struct, frozen=True, kw_only=True):
    """What a summary is to be about; what is None is decided by whoever answers."""

    since: datetime | None = None
    until: datetime | None = None
    bucket: Bucket = "hour"
    client_id: str | None = None


class AuditSource(Protocol):
    """The history of one issuer."""

    @property
    def issuer(self) -> str:
        """The issuer's URL, for people."""
        ...

    async def token(self, jti: UUID, as_of: AsOf = None) -> TokenDocument:
        """A token by its jti. Raises UnknownToken."""
        ...

    async def presented_token(self, token: str, as_of: AsOf = None) -> TokenDocument:
        """A token by itself, as somebody found it. Raises UnknownToken, which does not quote it."""
        ...

    async def token_events(self, jti: UUID) -> Sequence[EventDocument]:
        """All events of a token, in order. Raises UnknownToken."""
        ...

    def token_pages(
        self, query: TokenQuery, as_of: AsOf = None, *, limit: int | None = None
    ) -> AsyncIterator[TokenPageDocument]:
        """Tokens as of one moment, newest first, up to so many; a page is fetched when it is asked for.

        There is at least one page. Where the last has a `next` there may be more than were asked for.
        """
        ...

    async def event_page(self, query: EventQuery, *, after: int, limit: int = PAGE) -> EventPageDocument:
        """Events after a position, up to so many."""
        ...

    async def end(self) -> int:
        """The newest position of the log."""
        ...

    def news(self, query: EventQuery, *, after: int) -> AsyncGenerator[EventDocument]:
        """Events after a position, as they are recorded; `types`, `client_id` and `actor` of the query count.

        It ends, or raises Unavailable, when the line is cut: go on after the last event that came.
        """
        ...

    async def client_events(self, client_id: str) -> Sequence[ClientEventDocument]:
        """Who changed a client, when, from what to what. Raises UnknownClient."""
        ...

    async def summary(self, question: SummaryQuestion) -> SummaryDocument:
        """What happened over time, and per client."""
        ...
