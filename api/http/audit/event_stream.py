"""Events as they are recorded: server-sent events, resumable, each position once and none left out."""

import asyncio
from collections.abc import Sequence

import msgspec
from aiohttp import hdrs, web

from api.http.audit.bearer import Bearer
from api.http.audit.documents import EventDocument
from api.http.audit.endpoint import AuditEndpoint, AuditRequest
from api.http.audit.examples import STREAM_EXAMPLE
from api.http.audit.parameters import ACTOR, AFTER, CLIENT_ID, LAST_EVENT_ID, TYPE
from api.http.audit.shown_events import event_line
from api.http.audit.streaming import OpenStreams, Send, stream
from api.http.errors import AHEAD_OF_LOG, ARCHIVED
from api.http.operation import READ, Operation, ResponseSpec
from api.http.parameters import Values
from api.http.responses import POSITION_HEADER
from ledger.domain.recording import RecordedEvent
from ledger.use_cases.audit import AheadOfLog, EventQuery
from ledger.use_cases.issuer import Issuer

MEDIA_TYPE = "text/event-stream"
PAGE = 500
HEARTBEAT_SECONDS = 15.0
"""How long nothing may be sent. Then the id goes ahead, and whether the token is still active is looked at again."""

RETRY_SECONDS = 0.2

_encode = msgspec.json.Encoder().encode


class EventStreamEndpoint(AuditEndpoint):
    """Sends events for as long as somebody listens.

    It reads the log page by page until its end, then waits to be told of news. Nothing is read before what was read has
    been taken, so a slow reader holds one page.
    """

    OPERATION = Operation(
        name="audit_event_stream",
        methods=READ,
        tag="audit",
        summary="Events as they are recorded",
        description=(
            "Server-sent events: `id` is the position, `event` the type, `data` an EventDocument. To resume, send the "
            "last id as `Last-Event-ID`; without it or `after` the stream begins at the end of the log. Blocks with an "
            "id alone say how far the log was looked at. It ends when the service stops, and soon after its token does."
        ),
        security="bearer",
        parameters=(TYPE, CLIENT_ID, ACTOR, AFTER, LAST_EVENT_ID),
        responses=(
            ResponseSpec(
                description="Events, without end.",
                media_type=MEDIA_TYPE,
                models=(EventDocument,),
                example=STREAM_EXAMPLE,
                headers=(POSITION_HEADER,),
            ),
        ),
        errors=(
            AHEAD_OF_LOG,
            ARCHIVED,
        ),
    )

    def __init__(self, issuer: Issuer, open_streams: OpenStreams) -> None:
        super().__init__(issuer)
        self._open_streams = open_streams

    async def _answer(self, asked: AuditRequest) -> web.StreamResponse:
        values = asked.values
        after = values.get(LAST_EVENT_ID)
        if after is None:
            after = values.get(AFTER)
        moment = await self._issuer.audit.moments.resolve_in_log(None, after or 0)
        start = moment.position if after is None else after
        query = EventQuery(types=values.get(TYPE, ()), client_id=values.get(CLIENT_ID), actor=values.get(ACTOR))
        if after is not None:  # what is wrong with it can still be said
            await self._issuer.audit.events.find_events(query, after=start, limit=1)
        headers = {
            hdrs.CONTENT_TYPE: MEDIA_TYPE,
            hdrs.CACHE_CONTROL: "no-store",
            "X-Content-Type-Options": "nosniff",
            "X-Accel-Buffering": "no",
            POSITION_HEADER: str(start),
        }

        async def send_all(send: Send) -> bool:
            return await self._follow(send, query, start, asked.bearer)

        return await stream(asked.request, headers, send_all, self._open_streams)

    def _ahead(self, values: Values, error: AheadOfLog) -> str:  # noqa: ARG002 (there is only one such moment here)
        return AFTER.name if values.get(LAST_EVENT_ID) is None else LAST_EVENT_ID.name

    async def _follow(self, send: Send, query: EventQuery, position: int, bearer: Bearer) -> bool:
        """Send all that comes after a position; ends, with False, when the token is no longer active."""
        audit = self._issuer.audit
        await send(_mark(position))
        at_the_end = False
        while True:
            waited = at_the_end
            if waited:
                page = await audit.events.wait_for_events(query, after=position, seconds=HEARTBEAT_SECONDS)
            else:
                page = await audit.events.find_events(query, after=position, limit=PAGE)
            at_the_end = page.ended
            if not await bearer.still_there():
                return False
            if page.events:
                await send(_blocks(page.events))
            elif page.position > position or (waited and at_the_end):
                await send(_mark(page.position))
            elif waited:  # what finds the events of a client is far behind the log
                await asyncio.sleep(RETRY_SECONDS)
            position = page.position


def _blocks(rows: Sequence[RecordedEvent]) -> bytes:
    return b"".join(
        b"id: %d\nevent: %b\ndata: %b\n\n" % (row.position, row.topic.encode(), _encode(event_line(row)))
        for row in rows
    )


def _mark(position: int) -> bytes:
    """A block without data: it moves the reader's last id and is no event (HTML, §9.2.6)."""
    return b"id: %d\n\n" % position
