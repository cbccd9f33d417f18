"""The newest events of one log, read once per process for all its followers.

A follower that waits costs nothing: each new event is matched once per distinct query. A slow follower keeps nothing
alive here: it reads events that are no longer kept from the log.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence

from ledger.domain.errors import Unavailable
from ledger.domain.recording import EventMapper, RecordedEvent
from ledger.use_cases.audit import EventPage, EventQuery, event_matches

ReadPage = Callable[[int, int], Awaitable[Sequence[RecordedEvent]]]
"""Reads a page of the log: after a position, at most so many events."""

WaitForGrowth = Callable[[], Awaitable[None]]
"""Returns when the log may have grown beyond a position. It may return early, and must return in the end."""

PAGE_EVENTS = 500
KEPT_EVENTS = 2000
"""Enough for followers that are a little late."""

IDLE_SECONDS = 30.0
"""How long the log is still read after the last follower has gone."""

GATHER_SECONDS = 0.03
"""The pause after a page that reached the end of the log. Under load, many small pages cost more."""

RETRY_SECONDS = 1.0


class _Follower:
    def __init__(self, after: int) -> None:
        self.after = after
        self.page: asyncio.Future[EventPage] = asyncio.get_running_loop().create_future()


class LogTail:
    """Hands new events to the followers that wait for them."""

    def __init__(self, read: ReadPage, wait: WaitForGrowth, mapper: EventMapper) -> None:
        self._read = read
        self._wait = wait
        self._mapper = mapper
        self._kept: list[RecordedEvent] = []
        self._kept_after = 0
        self._position = 0
        self._waiting: dict[EventQuery, set[_Follower]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many followers wait."""
        return sum(map(len, self._waiting.values()))

    def covers(self, position: int) -> bool:
        """Whether all events after a position are kept here. If not, read the log from there to its end."""
        return self._reader is not None and position >= self._kept_after

    async def wait_for_events(self, query: EventQuery, *, after: int, seconds: float) -> EventPage:
        """Return the first matching events after a position, or an empty page after `seconds`.

        The first follower starts at the end of the log, the others at a position that is covered. If it is not covered
        any more, the page is empty and has not ended: read the log on from there.
        Raises what reading raises, StoredDataError, and Unavailable after `close`.
        """
        if self._closed:
            msg = "The service is shutting down and no longer follows its log."
            raise Unavailable(msg)
        if self._reader is None:
            self._kept, self._kept_after, self._position = [], after, after
            self._reader = asyncio.create_task(self._read_log())
        elif not self.covers(after):
            return EventPage((), after, ended=False)
        if found := self._find(query, self._kept, after):
            return EventPage(found, self._position, ended=True)
        follower = _Follower(after)
        followers = self._waiting.setdefault(query, set())
        followers.add(follower)
        try:
            # Unlike wait_for, this does not swallow a cancellation that arrives together with the page.
            async with asyncio.timeout(seconds):
                return await follower.page
        except TimeoutError:
            return EventPage((), max(after, self._position), ended=True)
        finally:
            followers.discard(follower)
            if not followers:
                self._waiting.pop(query, None)

    async def close(self) -> None:
        """Stop reading; the followers that wait get an empty page."""
        self._closed = True
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    async def _read_log(self) -> None:
        loop = asyncio.get_running_loop()
        idle_at = loop.time() + IDLE_SECONDS
        try:
            while self._waiting or loop.time() < idle_at:
                if self._waiting:
                    idle_at = loop.time() + IDLE_SECONDS
                try:
                    rows = await self._read(self._position, PAGE_EVENTS)
                except Exception as error:  # noqa: BLE001 (every follower must get it; the next read may succeed)
                    for followers in self._waiting.values():
                        _fail(followers, error)
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
                if rows:
                    self._keep(rows)
                    self._distribute(rows)
                    if len(rows) < PAGE_EVENTS:
                        await asyncio.sleep(GATHER_SECONDS)
                else:
                    await self._wait()
        finally:
            self._reader = None
            for followers in self._waiting.values():
                for follower in followers:
                    if not follower.page.done():
                        follower.page.set_result(EventPage((), max(follower.after, self._position), ended=True))

    def _keep(self, rows: Sequence[RecordedEvent]) -> None:
        self._kept.extend(rows)
        self._position = rows[-1].position
        if len(self._kept) > KEPT_EVENTS:
            dropped = self._kept[: -KEPT_EVENTS // 2]
            self._kept_after = dropped[-1].position
            del self._kept[: len(dropped)]

    def _distribute(self, rows: Sequence[RecordedEvent]) -> None:
        for query, followers in list(self._waiting.items()):
            try:
                found = self._find(query, rows, 0)
            except Exception as error:  # noqa: BLE001 (an unreadable event concerns only the queries that decode it)
                _fail(followers, error)
                continue
            for follower in followers if found else ():
                events = [row for row in found if row.position > follower.after]
                if events and not follower.page.done():
                    follower.page.set_result(EventPage(events, self._position, ended=True))

    def _find(self, query: EventQuery, rows: Sequence[RecordedEvent], after: int) -> Sequence[RecordedEvent]:
        later = rows[bisect_right(rows, after, key=lambda row: row.position) :]
        return [row for row in later if event_matches(query, row, self._mapper)]


def _fail(followers: set[_Follower], error: Exception) -> None:
    for follower in followers:
        if not follower.page.done():
            follower.page.set_exception(error)
