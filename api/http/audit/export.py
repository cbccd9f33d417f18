"""The log as lines of JSON (NDJSON), as much of it as there is, in constant memory."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from aiohttp import hdrs, web

from api.http.audit.bearer import Bearer
from api.http.audit.shown_events import event_lines
from api.http.audit.streaming import Send, stream
from api.http.responses import POSITION_HEADER
from ledger.use_cases.audit import AuditTrail, EventPage, EventQuery

MEDIA_TYPE = "application/x-ndjson"
PAGE = 2000
"""How many events are read, encoded and sent at a time; one page is read ahead."""


def wants_export(accept: str) -> bool:
    """Whether a request accepts lines of JSON, and says so (RFC 9110 §12.5.1): */* is not enough."""
    for entry in accept.lower().split(","):
        media_type, *parameters = (part.strip() for part in entry.split(";"))
        refused = any(part.replace(" ", "") in {"q=0", "q=0.0", "q=0.00", "q=0.000"} for part in parameters)
        if media_type == MEDIA_TYPE and not refused:
            return True
    return False


async def export(
    request: web.Request, audit: AuditTrail, bearer: Bearer, query: EventQuery, *, after: int, min_position: int
) -> web.StreamResponse:
    """All events asked for, up to the end of the log as it is now. Raises AheadOfLog, NotCaughtUp, Unavailable.

    It is broken off when the token ends before it does.
    """
    last = (await audit.moments.resolve_in_log(None, min_position)).position

    def read(after: int) -> Coroutine[Any, Any, EventPage]:
        return audit.events.find_events(query, after=after, limit=PAGE, min_position=last)

    first = await read(after)
    headers = {
        hdrs.CONTENT_TYPE: MEDIA_TYPE,
        hdrs.CACHE_CONTROL: "no-store",
        "X-Content-Type-Options": "nosniff",
        POSITION_HEADER: str(last),
    }

    async def send_all(send: Send) -> bool:
        page, following = first, None
        try:
            while True:
                following = None
                if not page.ended and page.position < last:
                    following = asyncio.create_task(read(page.position))
                if not await bearer.still_there():
                    return False
                rows = page.events if page.position <= last else [row for row in page.events if row.position <= last]
                if rows:
                    await send(event_lines(rows))
                if following is None:
                    return True
                page = await following
        finally:
            if following is not None:
                following.cancel()

    return await stream(request, headers, send_all)
