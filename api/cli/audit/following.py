"""Following a log: everything after a position, in order, each event once, whatever happens to the line."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from api.cli.audit.source import AuditSource
from api.cli.output import print_note
from api.http.audit.documents import EventDocument
from ledger.domain.errors import Unavailable
from ledger.use_cases.audit import EventQuery

RETRY_SECONDS = 1.0


async def follow(source: AuditSource, query: EventQuery, *, after: int) -> AsyncGenerator[EventDocument]:
    """The events after a position, then those that are recorded from now on, without end.

    The first page must be readable, else it raises as the source does; it also leads to where `since` is. From then on
    Unavailable is waited out: it goes on after the last position that it has seen.
    """
    page = await source.event_page(query, after=after)
    for event in page.events:
        yield event
    position = max(after, page.position)
    cut = False
    while True:
        try:
            async with aclosing(source.news(query, after=position)) as news:
                async for event in news:
                    cut = False
                    if event.position > position:
                        position = event.position
                        if query.since is None or event.recorded_at >= query.since:
                            yield event
        except Unavailable as error:
            if not cut:
                print_note(f"waiting: {error}; it will go on after position {position}")
            cut = True
        await asyncio.sleep(RETRY_SECONDS)
