"""LogTail: each follower gets every matching event once, and waits without cost."""

import asyncio

import pytest

from ledger.batching import log_tail
from ledger.batching.log_tail import LogTail
from ledger.domain.errors import CorruptPayload, Unavailable
from ledger.domain.recording import EventMapper, RecordedEvent
from ledger.use_cases.audit import EventQuery
from tests.builders import recorded_row, row, settle

EVERYTHING = EventQuery()
REVOKED = EventQuery(types=("token.revoked",))


class GrowingLog:
    """A log that grows when the test adds events, and its tail."""

    def __init__(self) -> None:
        self.rows: list[RecordedEvent] = []
        self.reads = 0
        self.failure: Exception | None = None
        self._grown = asyncio.Event()
        self.tail = LogTail(self.read, self.wait, EventMapper())

    def add(self, *topics: str, payload: bytes = b"{}") -> None:
        for position, topic in enumerate(topics, start=len(self.rows) + 1):
            self.rows.append(recorded_row(row(position, topic=topic, payload=payload), position))
        self._grown.set()

    async def read(self, after: int, limit: int):
        self.reads += 1
        if self.failure is not None:
            raise self.failure
        return self.rows[after : after + limit]

    async def wait(self) -> None:
        self._grown.clear()
        await self._grown.wait()

    def follow(self, query: EventQuery = EVERYTHING, after: int = 0, seconds: float = 60) -> asyncio.Task:
        return asyncio.create_task(self.tail.wait_for_events(query, after=after, seconds=seconds))


@pytest.fixture
async def log(monkeypatch):
    monkeypatch.setattr(log_tail, "GATHER_SECONDS", 0)
    made = GrowingLog()
    yield made
    await made.tail.close()


def positions(page) -> list[int]:
    return [event.position for event in page.events]


class TestWaitForEvents:
    async def test_follower_gets_the_events_after_its_position(self, log):
        waiting = log.follow()
        await settle()
        assert not waiting.done()
        log.add("a", "b")
        page = await waiting
        assert (positions(page), page.position, page.ended) == ([1, 2], 2, True)

    async def test_follower_gets_every_later_event_even_of_when_it_was_away(self, log):
        log.add("a")
        await log.follow()
        log.add("b", "c")
        await settle()
        assert positions(await log.follow(after=1)) == [2, 3]
        assert positions(await log.follow(after=2)) == [3]
        at_the_end = log.follow(after=3)
        await settle()
        assert not at_the_end.done()
        log.add("d")
        assert positions(await at_the_end) == [4]

    async def test_log_is_read_once_for_all_followers(self, log):
        waiting = [log.follow() for _ in range(50)]
        await settle()
        reads = log.reads
        log.add("a")
        for page in await asyncio.gather(*waiting):
            assert positions(page) == [1]
        await settle()
        assert log.reads - reads <= 2

    async def test_follower_is_not_woken_when_no_event_matches(self, log):
        waiting = log.follow(REVOKED)
        await settle()
        log.add(*["token.issued"] * 5)
        await settle()
        assert not waiting.done()
        log.add("token.revoked")
        page = await waiting
        assert (positions(page), page.position) == ([6], 6)

    async def test_page_is_empty_with_the_position_read_when_time_is_up(self, log):
        waiting = log.follow(REVOKED, seconds=0.05)
        await settle()
        log.add("token.issued", "token.issued")
        page = await waiting
        assert (positions(page), page.position) == ([], 2)

    async def test_follower_gets_nothing_twice_when_beyond_what_was_read(self, log):
        other = log.follow(REVOKED)
        await settle()
        log.add("a", "b", "c")
        assert positions(await log.follow(after=2)) == [3]
        other.cancel()

    async def test_cancellation_is_not_swallowed_when_the_page_arrives(self, log):
        waiting = log.follow()
        await settle()
        (followers,) = log.tail._waiting.values()
        (follower,) = followers
        follower.page.set_result(None)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


class TestKeptEvents:
    @pytest.fixture(autouse=True)
    def _keep_four(self, monkeypatch):
        monkeypatch.setattr(log_tail, "KEPT_EVENTS", 4)

    async def test_position_is_not_covered_when_its_events_were_dropped(self, log):
        assert not log.tail.covers(0)
        waiting = log.follow(REVOKED)
        await settle()
        assert log.tail.covers(0)
        for _ in range(6):
            log.add("a")
            await settle()
        assert not log.tail.covers(0)
        assert log.tail.covers(6)
        waiting.cancel()

    async def test_follower_is_sent_to_the_log_when_not_covered_any_more(self, log):
        """It read the log to its end, but much is recorded and dropped before it waits."""
        first = log.follow(after=0)
        await settle()
        log.add(*["token.issued"] * 8)
        await first
        await settle()
        page = await log.follow(after=0, seconds=0.05)
        assert (positions(page), page.position, page.ended) == ([], 0, False)


class TestFailures:
    async def test_every_follower_gets_the_error_and_the_log_is_read_again(self, log, monkeypatch):
        monkeypatch.setattr(log_tail, "RETRY_SECONDS", 0)
        log.failure = Unavailable("away")
        with pytest.raises(Unavailable):
            await log.follow()
        log.failure = None
        log.add("a")
        assert positions(await log.follow()) == [1]

    async def test_unreadable_event_fails_only_followers_that_decode_it(self, log):
        of_client = log.follow(EventQuery(client_id="shop"))
        others = log.follow(EventQuery(types=("token.issued",)))
        await settle()
        log.add("token.issued", payload=b"not json")
        with pytest.raises(CorruptPayload):
            await of_client
        assert positions(await others) == [1]


class TestEnd:
    async def test_log_is_not_read_when_there_is_no_follower(self, log, monkeypatch):
        monkeypatch.setattr(log_tail, "IDLE_SECONDS", 0)
        log.add("a")
        await log.follow()
        log.add("b")
        await settle()
        assert not log.tail.covers(1)
        assert positions(await log.follow(after=1)) == [2]

    async def test_followers_get_an_empty_page_when_closed_and_later_an_error(self, log):
        waiting = log.follow(after=0)
        await settle()
        await log.tail.close()
        assert positions(await waiting) == []
        with pytest.raises(Unavailable, match="shutting down"):
            await log.follow()
        assert not log.tail.covers(0)
