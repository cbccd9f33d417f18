"""The newest events of one log, read once in a process for everyone who follows it there.

A follower that waits for what does not come costs nothing: for each distinct query one look at each new event says
whether anybody is to be woken. One that is slow holds nothing here: what is no longer kept it reads from the log.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence

from ledger.domain.errors import Unavailable
from ledger.domain.recording import EventMapper, RecordedEvent
from ledger.use_cases.audit import EventPage, EventQuery, event_matches

Read = Callable[[int, int], Awaitable[Sequence[RecordedEvent]]]
"""A page of the log: after which position, at most how many."""

Wait = Callable[[int], Awaitable[None]]
"""Return when the log may have grown beyond a position. It may return without reason, and must in the end."""

PAGE = 500
KEEP = 2000
"""How many events are kept for followers that are a little behind."""

REST_SECONDS = 30.0
"""How long it goes on reading while nobody waits."""

GATHER_SECONDS = 0.03
"""After a page that reached the end of the log, how long the next one gathers: under load many small ones cost more."""

RETRY_SECONDS = 1.0


class _Follower:
    def __init__(self, after: int) -> None:
        self.after = after
        self.page: asyncio.Future[EventPage] = asyncio.get_running_loop().create_future()


class LogTail:
    """Hands out new events to those who wait for them."""

    def __init__(self, read: Read, wait: Wait, mapper: EventMapper) -> None:
        self._read = read
        self._wait = wait
        self._mapper = mapper
        self._kept: list[RecordedEvent] = []
        self._begins_after = 0
        self._position = 0
        self._waiting: dict[EventQuery, set[_Follower]] = {}
        self._pump: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many wait for news."""
        return sum(map(len, self._waiting.values()))

    def covers(self, position: int) -> bool:
        """Whether what comes after a position is still here. Where it is not, read the log from there to its end."""
        return self._pump is not None and position >= self._begins_after

    async def wait_for_events(self, query: EventQuery, *, after: int, seconds: float) -> EventPage:
        """The first events after a position that are asked for; an empty page when there are none for so long.

        The first to ask does so from the end of the log, the others from a position that is covered. For one that is
        not, because much was recorded since it was looked, the page is empty and does not end: read the log on from
        there. Raises what reading raises, StoredDataError, and Unavailable after it was closed.
        """
        if self._closed:
            msg = "The service is shutting down and follows its log no more."
            raise Unavailable(msg)
        if self._pump is None:
            self._kept, self._begins_after, self._position = [], after, after
            self._pump = asyncio.create_task(self._read_on())
        elif not self.covers(after):
            return EventPage((), after, ended=False)
        if found := self._matching(query, self._kept, after):
            return EventPage(found, self._position, ended=True)
        follower = _Follower(after)
        followers = self._waiting.setdefault(query, set())
        followers.add(follower)
        try:
            # Unlike wait_for, this passes a cancellation on that comes together with the news.
            async with asyncio.timeout(seconds):
                return await follower.page
        except TimeoutError:
            return EventPage((), max(after, self._position), ended=True)
        finally:
            followers.discard(follower)
            if not followers:
                self._waiting.pop(query, None)

    async def close(self) -> None:
        """Read no more; those who wait are told that there is nothing."""
        self._closed = True
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)

    async def _read_on(self) -> None:
        loop = asyncio.get_running_loop()
        rest_at = loop.time() + REST_SECONDS
        try:
            while self._waiting or loop.time() < rest_at:
                if self._waiting:
                    rest_at = loop.time() + REST_SECONDS
                try:
                    rows = await self._read(self._position, PAGE)
                except Exception as error:  # noqa: BLE001 (those who wait must hear of it; the next may have more luck)
                    self._tell_all(error)
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
                if rows:
                    self._keep(rows)
                    self._distribute(rows)
                    if len(rows) < PAGE:
                        await asyncio.sleep(GATHER_SECONDS)
                else:
                    await self._wait(self._position)
        finally:
            self._pump = None
            self._answer_all()

    def _keep(self, rows: Sequence[RecordedEvent]) -> None:
        self._kept.extend(rows)
        self._position = rows[-1].position
        if len(self._kept) > KEEP:
            gone = self._kept[: -KEEP // 2]
            self._begins_after = gone[-1].position
            del self._kept[: len(gone)]

    def _distribute(self, rows: Sequence[RecordedEvent]) -> None:
        for query, followers in list(self._waiting.items()):
            try:
                found = self._matching(query, rows, 0)
            except Exception as error:  # noqa: BLE001 (an event that cannot be read concerns those who ask about its like)
                for follower in followers:
                    _fail(follower, error)
                continue
            for follower in followers if found else ():
                of_interest = [row for row in found if row.position > follower.after]
                if of_interest and not follower.page.done():
                    follower.page.set_result(EventPage(of_interest, self._position, ended=True))

    def _matching(self, query: EventQuery, rows: Sequence[RecordedEvent], after: int) -> Sequence[RecordedEvent]:
        later = rows[bisect_right(rows, after, key=lambda row: row.position) :]
        return [row for row in later if event_matches(query, row, self._mapper)]

    def _tell_all(self, error: Exception) -> None:
        for followers in self._waiting.values():
            for follower in followers:
                _fail(follower, error)

    def _answer_all(self) -> None:
        for followers in self._waiting.values():
            for follower in followers:
                if not follower.page.done():
                    follower.page.set_result(EventPage((), max(follower.after, self._position), ended=True))


def _fail(follower: _Follower, error: Exception) -> None:
    if not follower.page.done():
        follower.page.set_exception(error)
