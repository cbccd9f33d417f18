"""BatchLoader: concurrent look-ups share a query that starts after each of them was requested."""

import asyncio

import pytest

from ledger.batching.batch_loader import BatchLoader
from ledger.domain.errors import Unavailable
from tests.builders import settle


class HeldTable:
    """A table that is read when a query starts; the query ends when the test releases it."""

    def __init__(self, **rows):
        self.rows = rows
        self.queries: list[list[str]] = []
        self._releases: asyncio.Queue[Exception | None] = asyncio.Queue()

    async def read(self, keys):
        self.queries.append(list(keys))
        found = {key: self.rows[key] for key in keys if key in self.rows}
        failure = await self._releases.get()
        if failure is not None:
            raise failure
        return found

    def release(self, times: int = 1, failure: Exception | None = None):
        for _ in range(times):
            self._releases.put_nowait(failure)


@pytest.fixture
async def table():
    return HeldTable(a=1, b=2, c=3)


@pytest.fixture
async def loader(table):
    return BatchLoader(table.read, max_batch=3)


async def load(loader, *keys: str) -> list[asyncio.Future]:
    """Load the keys and let their query start."""
    futures = [loader.load(key) for key in keys]
    await settle()
    return futures


async def within_time(*futures, **options):
    return await asyncio.wait_for(asyncio.gather(*futures, **options), 60)


@pytest.mark.parametrize(
    ("loads", "values", "queries"),
    [
        (["ax"], [1, None], ["ax"]),  # together, and one is absent
        (["aaa"], [1, 1, 1], ["a"]),
        (["a", "b", "c"], [1, 2, 3], ["a", "bc"]),  # one after another, while a query runs
        (["abcdefg"], [1, 2, 3, None, None, None, None], ["abc", "def", "g"]),
    ],
)
async def test_keys_share_bounded_queries_one_at_a_time(loader, table, loads, values, queries):
    futures = [future for keys in loads for future in await load(loader, *keys)]
    assert table.queries == [list(queries[0])]
    table.release(len(queries))

    assert await within_time(*futures) == values
    assert table.queries == [list(keys) for keys in queries]


async def test_look_up_is_never_served_by_a_query_started_before_it(loader, table):
    (early,) = await load(loader, "a")
    del table.rows["a"]  # revoked and acknowledged
    (late,) = await load(loader, "a")
    table.release(2)

    assert await within_time(early, late) == [1, None]
    assert table.queries == [["a"], ["a"]]


async def test_value_is_read_again_and_no_task_runs_between(loader, table):
    table.release(2)
    assert await within_time(loader.load("a")) == [1]
    await settle()
    assert asyncio.all_tasks() == {asyncio.current_task()}

    table.rows["a"] = 7

    assert await within_time(loader.load("a")) == [7]


class TestCancelledCallers:
    async def test_others_get_their_values_when_one_is_cancelled(self, loader, table):
        cancelled, same_key = await load(loader, "a", "a")
        cancelled_before_its_query, same_batch = await load(loader, "b", "c")
        cancelled.cancel()
        cancelled_before_its_query.cancel()
        table.release(2)

        assert await within_time(same_key, same_batch) == [1, 3]

    async def test_next_load_works_when_all_callers_are_cancelled(self, loader, table):
        for future in await load(loader, "a", "b"):
            future.cancel()
        table.release(2)

        assert await within_time(loader.load("c")) == [3]

    @pytest.mark.parametrize("cancelled", [True, False])
    async def test_failure_is_not_reported_when_never_awaited(self, loader, table, caplog, cancelled):
        (future,) = await load(loader, "a")
        if cancelled:
            future.cancel()
        table.release(failure=Unavailable("away"))
        await settle()
        del future

        assert not caplog.records


class TestFailures:
    async def test_error_reaches_every_caller_of_its_batch_only(self, loader, table):
        failure = Unavailable("away")
        futures = [*await load(loader, "a", "b", "b"), *await load(loader, "b")]
        table.release(failure=failure)
        table.release()

        assert await within_time(*futures, return_exceptions=True) == [failure] * 3 + [2]

    async def test_key_is_read_again_when_its_read_failed(self, loader, table):
        table.release(failure=Unavailable("away"))
        with pytest.raises(Unavailable, match="away"):
            await within_time(loader.load("a"))
        table.release()

        assert await within_time(loader.load("a")) == [1]
