"""The source that reads the audit endpoints of a service over HTTP."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import UUID

import msgspec
from msgspec import Struct

from api.cli.audit.http_connection import ServiceConnection
from api.cli.audit.source import PAGE_SIZE, AsOf
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
from api.http.audit.window import Bucket
from api.operations.errors import OperationError
from ledger.use_cases.audit import EventQuery, TokenQuery

T = TypeVar("T")

AUDIT_PATH = "/audit"
EPOCH = datetime.fromtimestamp(0, UTC)


class HttpSource:
    """Has the methods of `LogSource`. Fields that this release does not know are ignored."""

    def __init__(self, connection: ServiceConnection) -> None:
        self._connection = connection

    async def find_token(self, jti: UUID, as_of: AsOf = None) -> TokenDocument:
        """Find a token by its jti."""
        return await self._get(TokenDocument, f"/tokens/{jti}", as_of=as_of)

    async def find_presented_token(self, token: str, as_of: AsOf = None) -> TokenDocument:
        """Find a token by its value, which is sent in the request body so that no access log contains it."""
        form = {"token": token} | _parameters(as_of=as_of)
        return await self._read(TokenDocument, "POST", "/tokens/lookup", data=form)

    async def read_token_events(self, jti: UUID) -> Sequence[EventDocument]:
        """Read all events of a token, in order."""
        return (await self._get(TokenEventsDocument, f"/tokens/{jti}/events")).events

    async def read_token_page(
        self, query: TokenQuery, as_of: AsOf, *, previous: TokenPageDocument | None, limit: int
    ) -> TokenPageDocument:
        """Read tokens, newest first, all pages as of one moment, which the cursor carries."""
        start = {"as_of": as_of} if previous is None else {"cursor": previous.next}
        return await self._get(TokenPageDocument, "/tokens", **msgspec.structs.asdict(query), **start, limit=limit)

    async def read_event_page(self, query: EventQuery, *, after: int, limit: int = PAGE_SIZE) -> EventPageDocument:
        """Read events after a position."""
        filters = _stream_filters(query) | {"since": query.since, "until": query.until, "subject": query.subject}
        return await self._get(EventPageDocument, "/events", **filters, after=after, limit=limit)

    async def read_last_position(self) -> int:
        """Read the newest position: a search without matches returns the position that it has read up to."""
        return (await self.read_event_page(EventQuery(until=EPOCH), after=0, limit=1)).position

    async def stream_events(self, query: EventQuery, *, after: int) -> AsyncGenerator[EventDocument]:
        """Yield server-sent events after a position until the connection ends or breaks (Unavailable)."""
        request = self._connection.request(
            "GET",
            f"{AUDIT_PATH}/events/stream",
            params=_parameters(**_stream_filters(query)),
            headers={"Accept": "text/event-stream", "Last-Event-ID": str(after)},
        )
        async with request as response:
            async for message in read_server_sent_events(response.content):
                if message.id:
                    yield self._decode(EventDocument, message.data.encode())

    async def read_client_events(self, client_id: str) -> Sequence[ClientEventDocument]:
        """Read who changed a client."""
        return (await self._get(ClientEventsDocument, f"/clients/{quote(client_id, safe='')}/events")).events

    async def summarize(
        self, *, since: datetime | None, until: datetime | None, bucket: Bucket, client_id: str | None
    ) -> SummaryDocument:
        """Count tokens over time and per client."""
        return await self._get(
            SummaryDocument, "/summary", since=since, until=until, bucket=bucket, client_id=client_id
        )

    async def _get(self, document: type[T], path: str, **parameters: object) -> T:
        return await self._read(document, "GET", path, params=_parameters(**parameters))

    async def _read(self, document: type[T], method: str, path: str, **more: Any) -> T:
        async with self._connection.request(method, AUDIT_PATH + path, **more) as response:
            return self._decode(document, await response.read())

    def _decode(self, document: type[T], body: bytes) -> T:
        try:
            return msgspec.json.decode(body, type=document)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            msg = f"the response of {self._connection.issuer} is not understood by this release: compare both releases"
            raise OperationError(msg) from None


class ServerSentEvent(Struct, frozen=True):
    """A server-sent event with data; `id` is empty if it has none."""

    id: str
    event: str
    data: str


async def read_server_sent_events(lines: AsyncIterable[bytes]) -> AsyncIterator[ServerSentEvent]:
    """Parse a stream as the HTML standard §9.2.6 requires; comments and an incomplete last event are dropped."""
    fields = {"id": "", "event": ""}
    data: list[str] = []
    async for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if not line:
            if data:
                yield ServerSentEvent(fields["id"], fields["event"], "\n".join(data))
            fields, data = {"id": "", "event": ""}, []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name in fields:
            fields[name] = value


def _stream_filters(query: EventQuery) -> dict[str, Any]:
    types = ",".join(dict.fromkeys(query.types)) or None
    return {"type": types, "client_id": query.client_id, "actor": query.actor}


def _parameters(**values: object) -> dict[str, str]:
    """Format parameters, without those that are None."""
    return {
        name: value.astimezone(UTC).isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)
        for name, value in values.items()
        if value is not None
    }
