"""Events as they are recorded: server-sent events, resumable, each position exactly once."""

import asyncio
from collections.abc import Sequence

from aiohttp import web

from api.http.audit.documents import EventDocument, event_line
from api.http.audit.endpoint import AuditEndpoint, AuditRequest, Bearer, audit_response
from api.http.audit.parameters import ACTOR, AFTER, CLIENT_ID, LAST_EVENT_ID, TYPE
from api.http.audit.streaming import OpenStreams, Send, stream
from api.http.errors import AHEAD_OF_LOG, ARCHIVED
from api.http.operation import READ, Operation, Values
from api.http.responses import encode_json
from ledger.domain.recording import RecordedEvent
from ledger.use_cases.audit import AheadOfLog, EventQuery
from ledger.use_cases.issuer import Issuer

MEDIA_TYPE = "text/event-stream"
PAGE_EVENTS = 500
HEARTBEAT_SECONDS = 15.0
"""Longest silence. A heartbeat advances the id and checks that the token is still active."""

RETRY_SECONDS = 0.2


class EventStreamEndpoint(AuditEndpoint):
    """Streams events until the reader disconnects.

    It reads the log page by page to its end, then waits to be notified. It reads the next page only after the reader
    has taken the last one, so a slow reader holds one page.
    """

    OPERATION = Operation(
        name="audit_event_stream",
        methods=READ,
        tag="audit",
        summary="Events as they are recorded",
        description=(
            "Server-sent events: `id` is the position, `event` the type, `data` an EventDocument. To resume, send the "
            "last id as `Last-Event-ID`; without it or `after` the stream begins at the head of the log. A block with "
            "only an id advances the position. The stream ends when the service stops or the token becomes inactive."
        ),
        security="bearer",
        parameters=(TYPE, CLIENT_ID, ACTOR, AFTER, LAST_EVENT_ID),
        responses=(audit_response("An endless stream of events.", EventDocument, media_type=MEDIA_TYPE),),
        errors=(AHEAD_OF_LOG, ARCHIVED),
    )

    def __init__(self, issuer: Issuer, open_streams: OpenStreams) -> None:
        super().__init__(issuer)
        self._open_streams = open_streams

    async def _respond(self, request: AuditRequest) -> web.StreamResponse:
        values = request.values
        after = values.get(LAST_EVENT_ID)
        if after is None:
            after = values.get(AFTER)
        moment = await self._audit.moments.resolve_in_log(None, after or 0)
        start = moment.position if after is None else after
        query = EventQuery(types=values.get(TYPE) or (), client_id=values.get(CLIENT_ID), actor=values.get(ACTOR))
        if after is not None:  # an error can still be reported before the response begins
            await self._audit.events.find_events(query, after=start, limit=1)

        async def send_all(send: Send) -> bool:
            return await self._follow(send, query, start, request.bearer)

        return await stream(request.http, MEDIA_TYPE, start, send_all, self._open_streams)

    def _parameter_ahead(self, values: Values, error: AheadOfLog) -> str:  # noqa: ARG002 (only one parameter can be)
        return AFTER.name if values.get(LAST_EVENT_ID) is None else LAST_EVENT_ID.name

    async def _follow(self, send: Send, query: EventQuery, position: int, bearer: Bearer) -> bool:
        """Send all events after a position. Returns False once the token is no longer active."""
        events = self._audit.events
        await send(_heartbeat(position))
        at_head = False
        while True:
            waited = at_head
            if waited:
                page = await events.wait_for_events(query, after=position, seconds=HEARTBEAT_SECONDS)
            else:
                page = await events.find_events(query, after=position, limit=PAGE_EVENTS)
            at_head = page.ended
            if not await bearer.is_still_active():
                return False
            if page.events:
                await send(_blocks(page.events))
            elif page.position > position or (waited and at_head):
                await send(_heartbeat(page.position))
            elif waited:  # the index of events by client lags far behind the log
                await asyncio.sleep(RETRY_SECONDS)
            position = page.position


def _blocks(rows: Sequence[RecordedEvent]) -> bytes:
    return b"".join(
        b"id: %d\nevent: %b\ndata: %b\n\n" % (row.position, row.topic.encode(), encode_json(event_line(row)))
        for row in rows
    )


def _heartbeat(position: int) -> bytes:
    """A block without data: it advances the reader's last id and dispatches no event (HTML §9.2.6)."""
    return b"id: %d\n\n" % position
