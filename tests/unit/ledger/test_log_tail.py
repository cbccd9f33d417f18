"""Following the newest events: nothing twice, nothing left out, and nothing to do for those who wait in vain."""

import asyncio

import pytest

from ledger.batching import log_tail
from ledger.batching.log_tail import LogTail
from ledger.domain.errors import CorruptPayload, Unavailable
from ledger.domain.recording import EventMapper, RecordedEvent
from ledger.use_cases.audit import EventQuery
from tests.builders import NOW, row, settle

EVERYTHING = EventQuery()
REVOKED = EventQuery(types=("token.revoked",))


class GrowingLog:
    """A log that grows when the test says so."""

    def __init__(self) -> None:
        self.rows: list[RecordedEvent] = []
        self.reads = 0
        self.failure: Exception | None = None
        self._grown = asyncio.Event()
        self.tail = LogTail(self.read, self.wait, EventMapper())

    def add(self, *topics: str, payload: bytes = b"{}") -> None:
        for topic in topics:
            position = len(self.rows) + 1
            stored = row(position, topic=topic, payload=payload)
            fields = {"schema_version": 1, "actor": None, "request_id": None, "remote_address": None}
            self.rows.append(
                RecordedEvent(
                    stream_id=stored.stream_id,
                    stream_version=1,
                    topic=topic,
                    payload=payload,
                    position=position,
                    recorded_at=NOW,
                    **fields,
                )
            )
        self._grown.set()

    async def read(self, after: int, limit: int):
        self.reads += 1
        if self.failure is not None:
            raise self.failure
        return self.rows[after : after + limit]

    async def wait(self, _position: int) -> None:
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


async def test_news_is_what_comes_after_a_position(log):
    waiting = log.follow()
    await settle()
    assert not waiting.done()
    log.add("a", "b")
    page = await waiting
    assert (positions(page), page.position, page.ended) == ([1, 2], 2, True)


async def test_one_who_comes_back_gets_what_was_recorded_meanwhile(log):
    log.add("a")
    await log.follow()
    log.add("b", "c")
    await settle()
    assert positions(await log.follow(after=1)) == [2, 3]
    assert positions(await log.follow(after=2)) == [3]


async def test_it_is_read_once_for_all(log):
    waiting = [log.follow() for _ in range(50)]
    await settle()
    reads = log.reads
    log.add("a")
    for page in await asyncio.gather(*waiting):
        assert positions(page) == [1]
    await settle()
    assert log.reads - reads <= 2


async def test_who_waits_for_something_else_is_not_woken(log):
    waiting = log.follow(REVOKED)
    await settle()
    log.add(*["token.issued"] * 5)
    await settle()
    assert not waiting.done()
    log.add("token.revoked")
    page = await waiting
    assert (positions(page), page.position) == ([6], 6)


async def test_who_waited_in_vain_learns_how_far_it_was_looked(log):
    waiting = log.follow(REVOKED, seconds=0.05)
    await settle()
    log.add("token.issued", "token.issued")
    page = await waiting
    assert (positions(page), page.position) == ([], 2)


async def test_one_who_is_ahead_gets_only_what_comes_after(log):
    log.add("a", "b")
    behind = log.follow(after=0)
    await behind
    ahead = log.follow(after=2)
    await settle()
    assert not ahead.done()
    log.add("c")
    assert positions(await ahead) == [3]


async def test_one_who_is_ahead_of_the_reading_gets_nothing_twice(log):
    in_vain = log.follow(REVOKED)
    await settle()
    log.add("a", "b", "c")
    ahead = log.follow(after=2)
    assert positions(await ahead) == [3]
    in_vain.cancel()


async def test_what_is_no_longer_kept_is_not_covered(log, monkeypatch):
    monkeypatch.setattr(log_tail, "KEPT_EVENTS", 4)
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


async def test_a_log_that_cannot_be_read_is_told_to_all_and_tried_again(log, monkeypatch):
    monkeypatch.setattr(log_tail, "RETRY_SECONDS", 0)
    log.failure = Unavailable("away")
    with pytest.raises(Unavailable):
        await log.follow()
    log.failure = None
    log.add("a")
    assert positions(await log.follow()) == [1]


async def test_an_event_that_cannot_be_read_is_told_to_those_who_need_it_read(log):
    of_client = log.follow(EventQuery(client_id="shop"))
    others = log.follow(EventQuery(types=("token.issued",)))
    await settle()
    log.add("token.issued", payload=b"not json")
    with pytest.raises(CorruptPayload):
        await of_client
    assert positions(await others) == [1]


async def test_it_stops_reading_when_nobody_asks_any_more(log, monkeypatch):
    monkeypatch.setattr(log_tail, "IDLE_SECONDS", 0)
    log.add("a")
    await log.follow()
    log.add("b")
    await settle()
    assert not log.tail.covers(1)
    assert positions(await log.follow(after=1)) == [2]


async def test_closing_answers_those_who_wait(log):
    waiting = log.follow(after=0)
    await settle()
    await log.tail.close()
    assert positions(await waiting) == []


async def test_one_who_comes_after_what_is_no_longer_kept_is_sent_back_to_the_log(log, monkeypatch):
    """It looked at the log, found nothing, and before it comes to wait much is recorded and let go of."""
    monkeypatch.setattr(log_tail, "KEPT_EVENTS", 4)
    first = log.follow(after=0)
    await settle()
    log.add(*["token.issued"] * 8)
    await first
    await settle()
    page = await log.follow(after=0, seconds=0.05)
    assert (positions(page), page.position, page.ended) == ([], 0, False)


async def test_a_cancellation_that_comes_with_the_news_is_not_swallowed(log):
    waiting = log.follow()
    await settle()
    (followers,) = log.tail._waiting.values()
    (follower,) = followers
    follower.page.set_result(None)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_it_is_not_followed_after_it_was_closed(log):
    await log.tail.close()
    with pytest.raises(Unavailable, match="shutting down"):
        await log.follow()
    assert not log.tail.covers(0)
