"""Answers over HTTP: an AuditSource over the audit endpoints of a service."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import quote
from uuid import UUID

import msgspec

from api.cli.audit.event_stream import messages
from api.cli.audit.http_connection import Connection
from api.cli.audit.source import PAGE, AsOf, SummaryQuestion, page_size
from api.http.audit.documents import (
    ClientEventDocument,
    ClientEventsDocument,
    EventDocument,
    EventPageDocument,
    SummaryDocument,
    TokenDocument,
    TokenEventsDocument,
    TokenPageDocument,
)
from api.operations.errors import OperationError
from ledger.use_cases.audit import EventQuery, TokenQuery

T = TypeVar("T")

AUDIT = "/audit"
BEGINNING = datetime.fromtimestamp(0, UTC)


class HttpSource:
    """Implements `source.AuditSource`. What the service answers that this release does not know is left out."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.issuer = connection.issuer

    async def token(self, jti: UUID, as_of: AsOf = None) -> TokenDocument:
        """A token by its jti."""
        return await self._get(TokenDocument, f"/tokens/{jti}", _given(as_of=as_of))

    async def presented_token(self, token: str, as_of: AsOf = None) -> TokenDocument:
        """A token by itself: in the body of a request, where no log has it."""
        body = await self._connection.post(f"{AUDIT}/tokens/lookup", {"token": token} | _given(as_of=as_of))
        return self._decode(TokenDocument, body)

    async def token_events(self, jti: UUID) -> Sequence[EventDocument]:
        """All events of a token."""
        return (await self._get(TokenEventsDocument, f"/tokens/{jti}/events", {})).events

    async def token_pages(
        self, query: TokenQuery, as_of: AsOf = None, *, limit: int | None = None
    ) -> AsyncIterator[TokenPageDocument]:
        """Tokens as of one moment, which the cursor holds on to."""
        filters = _given(**msgspec.structs.asdict(query))
        where = _given(as_of=as_of)
        left = limit
        while True:
            found = await self._get(TokenPageDocument, "/tokens", filters | where | _given(limit=page_size(left)))
            yield found
            left = None if left is None else left - len(found.tokens)
            if found.next is None or left == 0:
                return
            where = _given(cursor=found.next)

    async def event_page(self, query: EventQuery, *, after: int, limit: int = PAGE) -> EventPageDocument:
        """Events after a position."""
        filters = _filters(query) | _given(since=query.since, until=query.until, subject=query.subject)
        return await self._get(EventPageDocument, "/events", filters | _given(after=after, limit=limit))

    async def end(self) -> int:
        """The newest position of the log: that up to which a search for nothing has looked."""
        return (await self.event_page(EventQuery(until=BEGINNING), after=0, limit=1)).position

    async def news(self, query: EventQuery, *, after: int) -> AsyncGenerator[EventDocument]:
        """Server-sent events after a position, until the line is cut."""
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        answer = self._connection.answer("GET", f"{AUDIT}/events/stream", params=_filters(query), headers=headers)
        async with answer as response:
            async for message in messages(response.content):
                if message.id:
                    yield self._decode(EventDocument, message.data.encode())

    async def client_events(self, client_id: str) -> Sequence[ClientEventDocument]:
        """Who changed a client."""
        path = f"/clients/{quote(client_id, safe='')}/events"
        return (await self._get(ClientEventsDocument, path, {})).events

    async def summary(self, question: SummaryQuestion) -> SummaryDocument:
        """What happened over time, and per client."""
        return await self._get(SummaryDocument, "/summary", _given(**msgspec.structs.asdict(question)))

    async def _get(self, document: type[T], path: str, params: Mapping[str, str]) -> T:
        return self._decode(document, await self._connection.get(AUDIT + path, params))

    def _decode(self, document: type[T], body: bytes) -> T:
        try:
            return msgspec.json.decode(body, type=document)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            msg = f"{self.issuer} gives an answer that this release does not understand: are both of one release?"
            raise OperationError(msg) from None


def _filters(query: EventQuery) -> dict[str, str]:
    types = ",".join(dict.fromkeys(query.types)) or None
    return _given(type=types, client_id=query.client_id, actor=query.actor)


def _given(**values: object) -> dict[str, str]:
    """Parameters as they go over the wire; those that are None are left out."""
    return {name: _text(value) for name, value in values.items() if value is not None}


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)
