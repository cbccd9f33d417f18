"""Events of the whole log: one page as a JSON document, or all events as NDJSON in constant memory."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import msgspec
from aiohttp import hdrs, web

from api.http.audit.documents import EventDocument, EventPageDocument, event_document, event_line
from api.http.audit.endpoint import AuditEndpoint, AuditRequest, audit_response, document_response
from api.http.audit.parameters import (
    ACTOR,
    AFTER,
    CLIENT_ID,
    DEFAULT_LIMIT,
    LIMIT,
    MIN_POSITION,
    SINCE,
    SUBJECT,
    TYPE,
    UNTIL,
)
from api.http.audit.streaming import Send, stream
from api.http.errors import AHEAD_OF_LOG, ARCHIVED, NOT_CAUGHT_UP
from api.http.operation import READ, Operation, parameter_error
from ledger.use_cases.audit import EventPage, EventQuery

EXPORT_MEDIA_TYPE = "application/x-ndjson"
EXPORT_PAGE_EVENTS = 2000
"""Events read, encoded and sent at a time; one page is read ahead."""

_encode_lines = msgspec.json.Encoder().encode_lines


class EventsEndpoint(AuditEndpoint):
    """Lists or exports events."""

    OPERATION = Operation(
        name="audit_events",
        methods=READ,
        tag="audit",
        summary="Events, in the order of the log",
        description=(
            f"With `Accept: {EXPORT_MEDIA_TYPE}`, all events from `after` to the head of the log at the time of the "
            "request, one per line; `limit` is not allowed. An incomplete export ends without the last chunk."
        ),
        security="bearer",
        parameters=(TYPE, CLIENT_ID, SUBJECT, ACTOR, SINCE, UNTIL, AFTER, MIN_POSITION, LIMIT),
        responses=(
            audit_response("A page of events.", EventPageDocument),
            audit_response("All events, one per line.", EventDocument, media_type=EXPORT_MEDIA_TYPE),
        ),
        errors=(AHEAD_OF_LOG, ARCHIVED, NOT_CAUGHT_UP),
    )

    async def _respond(self, request: AuditRequest) -> web.StreamResponse:
        values = request.values
        query = EventQuery(
            types=values.get(TYPE) or (),
            client_id=values.get(CLIENT_ID),
            subject=values.get(SUBJECT),
            actor=values.get(ACTOR),
            since=values.get(SINCE),
            until=values.get(UNTIL),
        )
        after = values.get(AFTER) or 0
        if accepts_export(request.http.headers.get(hdrs.ACCEPT, "")):
            if values.get(LIMIT) is not None:
                raise parameter_error(LIMIT.name, "is not allowed for an export")
            return await self._export(request, query, after)
        page = await self._audit.events.find_events(
            query, after=after, limit=values.get(LIMIT) or DEFAULT_LIMIT, min_position=request.min_position
        )
        document = EventPageDocument(
            events=[event_document(row) for row in page.events],
            position=page.position,
            next=None if page.ended else page.position,
        )
        return document_response(document, page.position)

    async def _export(self, request: AuditRequest, query: EventQuery, after: int) -> web.StreamResponse:
        """Export all events up to the current head of the log. The export breaks off if the token becomes inactive."""
        last = (await self._audit.moments.resolve_in_log(None, request.min_position)).position

        def read(after: int) -> Coroutine[Any, Any, EventPage]:
            return self._audit.events.find_events(query, after=after, limit=EXPORT_PAGE_EVENTS, min_position=last)

        first = await read(after)

        async def send_all(send: Send) -> bool:
            page, reading = first, None
            try:
                while True:
                    reading = None
                    if not page.ended and page.position < last:
                        reading = asyncio.create_task(read(page.position))
                    if not await request.bearer.is_still_active():
                        return False
                    rows = [row for row in page.events if row.position <= last]
                    if rows:
                        await send(_encode_lines([event_line(row) for row in rows]))
                    if reading is None:
                        return True
                    page = await reading
            finally:
                if reading is not None:
                    reading.cancel()

        return await stream(request.http, EXPORT_MEDIA_TYPE, last, send_all)


def accepts_export(accept: str) -> bool:
    """Whether an Accept header names NDJSON (RFC 9110 §12.5.1); a wildcard is not enough."""
    for entry in accept.lower().split(","):
        media_type, *parameters = (part.strip() for part in entry.split(";"))
        refused = any(part.replace(" ", "") in {"q=0", "q=0.0", "q=0.00", "q=0.000"} for part in parameters)
        if media_type == EXPORT_MEDIA_TYPE and not refused:
            return True
    return False
