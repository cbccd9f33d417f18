"""Batched reads: look-ups share a query, and none is answered from before it was asked."""

import asyncio

import pytest

from ledger.batching.batch_loader import BatchedReads
from ledger.domain.errors import Unavailable
from tests.builders import settle


class HeldTable:
    """A table that is read when a query starts, and answers when it is let go."""

    def __init__(self, **rows):
        self.rows = rows
        self.queries: list[list[str]] = []
        self._answers: asyncio.Queue[Exception | None] = asyncio.Queue()

    async def load(self, keys):
        self.queries.append(list(keys))
        found = {key: self.rows[key] for key in keys if key in self.rows}
        failure = await self._answers.get()
        if failure is not None:
            raise failure
        return found

    def let_go(self, times: int = 1, failure: Exception | None = None):
        for _ in range(times):
            self._answers.put_nowait(failure)


@pytest.fixture(autouse=True)
async def _waits_end():
    """What would wait for ever is cancelled after some seconds, and fails its test."""
    loop = asyncio.get_running_loop()
    alarm = loop.call_later(5, lambda: [task.cancel("waited too long") for task in asyncio.all_tasks(loop)])
    yield
    alarm.cancel()


@pytest.fixture
async def table():
    return HeldTable(a=1, b=2, c=3)


@pytest.fixture
async def reads(table):
    return BatchedReads(table.load, max_batch=3)


async def asked(reads, *keys: str) -> list[asyncio.Task]:
    tasks = [asyncio.create_task(reads.get(key)) for key in keys]
    await settle()
    return tasks


async def test_a_key_that_exists_gives_its_value_and_one_that_does_not_gives_none(reads, table):
    tasks = await asked(reads, "a", "nothing")
    table.let_go()

    assert await asyncio.gather(*tasks) == [1, None]


async def test_look_ups_asked_together_share_a_query(reads, table):
    await asked(reads, "a", "b", "c")

    assert table.queries == [["a", "b", "c"]]


async def test_look_ups_gather_while_a_query_runs(reads, table):
    tasks = [*await asked(reads, "a"), *await asked(reads, "b"), *await asked(reads, "c")]
    assert table.queries == [["a"]]
    table.let_go(2)

    assert await asyncio.gather(*tasks) == [1, 2, 3]
    assert table.queries == [["a"], ["b", "c"]]


async def test_look_ups_of_one_key_share_it(reads, table):
    tasks = await asked(reads, "a", "a", "a")
    table.let_go()

    assert await asyncio.gather(*tasks) == [1, 1, 1]
    assert table.queries == [["a"]]


async def test_a_query_asks_for_a_bounded_number_of_keys(reads, table):
    tasks = await asked(reads, "a", "b", "c", "d", "e", "f", "g")
    table.let_go(3)
    await asyncio.gather(*tasks)

    assert table.queries == [["a", "b", "c"], ["d", "e", "f"], ["g"]]


async def test_a_look_up_is_never_answered_by_a_query_that_started_before_it_was_asked(reads, table):
    (early,) = await asked(reads, "a")
    del table.rows["a"]  # revoked, and that was answered
    (late,) = await asked(reads, "a")
    table.let_go(2)

    assert await early == 1
    assert await late is None
    assert table.queries == [["a"], ["a"]]


async def test_nothing_is_kept_once_a_look_up_is_answered(reads, table):
    table.let_go(2)
    assert await reads.get("a") == 1

    table.rows["a"] = 7

    assert await reads.get("a") == 7


async def test_nothing_runs_when_idle(reads, table):
    table.let_go()
    await reads.get("a")
    await settle()

    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert table.queries == [["a"]]


class TestCancelledCallers:
    async def test_one_that_leaves_does_not_hurt_another_of_the_same_key(self, reads, table):
        leaving, staying = await asked(reads, "a", "a")
        leaving.cancel()
        await settle()
        table.let_go()

        assert await staying == 1
        assert leaving.cancelled()

    async def test_one_that_leaves_before_its_query_does_not_hurt_the_batch(self, reads, table):
        (first,) = await asked(reads, "a")
        leaving, staying = await asked(reads, "b", "c")
        leaving.cancel()
        await settle()
        table.let_go(2)

        assert await asyncio.gather(first, staying) == [1, 3]

    async def test_when_all_leave_the_next_look_up_works(self, reads, table):
        for task in await asked(reads, "a", "b"):
            task.cancel()
        await settle()
        table.let_go(2)

        assert await reads.get("c") == 3

    async def test_a_failure_nobody_waits_for_is_not_reported_as_forgotten(self, reads, table, caplog):
        (task,) = await asked(reads, "a")
        task.cancel()
        await settle()
        table.let_go(failure=Unavailable("away"))
        await settle()

        assert not caplog.records


class TestFailures:
    async def test_the_error_goes_to_all_of_the_batch(self, reads, table):
        failure = Unavailable("away")
        tasks = await asked(reads, "a", "b", "b")
        table.let_go(failure=failure)

        assert await asyncio.gather(*tasks, return_exceptions=True) == [failure] * 3

    async def test_the_next_read_works(self, reads, table):
        tasks = await asked(reads, "a")
        tasks += await asked(reads, "b")
        table.let_go(failure=Unavailable("away"))
        table.let_go()

        assert await asyncio.gather(*tasks, return_exceptions=True) == [tasks[0].exception(), 2]
        table.let_go()
        assert await reads.get("c") == 3

    async def test_a_failed_key_can_be_asked_again(self, reads, table):
        table.let_go(failure=Unavailable("away"))
        with pytest.raises(Unavailable, match="away"):
            await reads.get("a")
        table.let_go()

        assert await reads.get("a") == 1
