"""Group commit: while one batch commits, the next one gathers."""

import asyncio
from uuid import uuid4

import pytest

from ledger.batching.group_commit import BATCH_BOUNDS, AppendCounts, GroupCommit
from ledger.domain.errors import OutcomeUnknown, QueueFull, Unavailable
from ledger.domain.recording import VersionConflict, Write, WriteResult
from tests.builders import NOW, row, settle

CONFLICT = VersionConflict(uuid4(), version=2)


class HeldEventLog:
    """Takes batches and commits each when the test says so. A write is the number of its stream."""

    def __init__(self):
        self.batches: list[list[int]] = []
        self.recorded: list[int] = []
        self.errors: dict[int, Exception] = {}
        self._commits: asyncio.Queue[Exception | None] = asyncio.Queue()
        self._committing = asyncio.Lock()

    async def append(self, writes):
        assert not self._committing.locked(), "two batches at once"
        numbers = [write.events[0].stream_id.int for write in writes]
        self.batches.append(numbers)
        async with self._committing:
            failure = await self._commits.get()
        if failure is not None:
            raise failure
        for number in numbers:
            if isinstance(self.errors.get(number), ValueError):
                raise self.errors[number]
        return [self.errors.get(number) or self._record(number) for number in numbers]

    def _record(self, number):
        self.recorded.append(number)
        return WriteResult([len(self.recorded)], NOW)

    def commit(self, times: int = 1, failure: Exception | None = None):
        for _ in range(times):
            self._commits.put_nowait(failure)


def make_write(number: int, events: int = 1) -> Write:
    return Write([row(number, version) for version in range(1, events + 1)])


@pytest.fixture(autouse=True)
async def _cancel_endless_waits():
    loop = asyncio.get_running_loop()
    alarm = loop.call_later(5, lambda: [task.cancel("waited too long") for task in asyncio.all_tasks(loop)])
    yield
    alarm.cancel()


@pytest.fixture
async def event_log():
    return HeldEventLog()


@pytest.fixture
async def group(event_log):
    group = GroupCommit(event_log, max_waiting=8, max_batch=4)
    yield group
    event_log.commit(100)
    await group.close()


async def start(group, *numbers: int) -> list[asyncio.Task]:
    """Start these writes, in this order; each runs until it waits for a commit."""
    tasks = []
    for number in numbers:
        tasks.append(asyncio.create_task(group.write(make_write(number))))
        await settle()
    return tasks


async def results_of(tasks) -> list[WriteResult | BaseException]:
    return await asyncio.gather(*tasks, return_exceptions=True)


class TestBatches:
    async def test_writes_gather_while_the_first_one_commits(self, group, event_log):
        await start(group, 1, 2, 3, 4)
        assert event_log.batches == [[1]]
        assert group.waiting == 3

        event_log.commit()
        await settle()

        assert event_log.batches == [[1], [2, 3, 4]]
        assert group.waiting == 0

    async def test_writes_share_the_first_batch_when_started_together(self, group, event_log):
        tasks = [asyncio.create_task(group.write(make_write(number))) for number in (1, 2, 3)]
        await settle()
        event_log.commit()
        await asyncio.gather(*tasks)

        assert event_log.batches == [[1, 2, 3]]

    async def test_writes_are_recorded_in_order_in_bounded_batches(self, group, event_log):
        tasks = await start(group, 5, 3, 4, 1, 2, 7, 6)
        event_log.commit(3)

        results = await asyncio.gather(*tasks)

        assert event_log.batches == [[5], [3, 4, 1, 2], [7, 6]]
        assert event_log.recorded == [5, 3, 4, 1, 2, 7, 6]
        assert [list(result.positions) for result in results] == [[n] for n in range(1, 8)]

    async def test_no_response_is_sent_before_its_batch_commits(self, group):
        assert not any(task.done() for task in await start(group, 1, 2))

    async def test_no_task_runs_when_idle_and_the_next_write_starts_one(self, group, event_log):
        event_log.commit(2)
        await group.write(make_write(1))
        await settle()
        assert asyncio.all_tasks() == {asyncio.current_task()}

        await group.write(make_write(2))

        assert event_log.batches == [[1], [2]]


class TestCancelledCallers:
    async def test_write_is_recorded_when_its_caller_is_cancelled(self, group, event_log):
        committing, waiting, other = await start(group, 1, 2, 3)
        committing.cancel()
        waiting.cancel()
        event_log.commit(2)
        await settle()

        assert event_log.recorded == [1, 2, 3]
        assert [task.cancelled() for task in (committing, waiting, other)] == [True, True, False]

    async def test_failure_is_not_reported_when_its_caller_is_cancelled(self, group, event_log, caplog):
        (task,) = await start(group, 1)
        task.cancel()
        event_log.commit(failure=Unavailable("away"))
        await settle()

        assert not caplog.records


async def test_write_is_refused_when_too_many_wait_until_there_is_room(group, event_log):
    tasks = await start(group, 0, *range(1, 9))
    with pytest.raises(QueueFull, match="8 writes wait"):
        await group.write(make_write(99))

    event_log.commit()
    await settle()
    tasks += await start(group, 9)
    event_log.commit(10)
    await asyncio.gather(*tasks)

    assert event_log.recorded == list(range(10))
    assert (group.counts.refused, group.counts.recorded) == (1, 10)


class TestFailures:
    @pytest.mark.parametrize("failure", [Unavailable("away"), OutcomeUnknown("unknown")])
    async def test_unavailable_fails_its_batch_only_and_is_not_retried(self, group, event_log, failure):
        tasks = await start(group, 1, 2, 3)
        event_log.commit()
        event_log.commit(failure=failure)
        await settle()
        tasks += await start(group, 4)
        event_log.commit()

        first, *failed, last = await results_of(tasks)

        assert [type(result) for result in (first, last)] == [WriteResult, WriteResult]
        assert failed == [failure, failure]
        assert event_log.batches == [[1], [2, 3], [4]]
        assert (group.counts.failed, group.counts.recorded, group.counts.events) == (2, 2, 2)

    @pytest.mark.parametrize(
        ("error", "batches"),
        [(CONFLICT, [[1], [2, 3, 4]]), (ValueError("no such row"), [[1], [2, 3, 4], [2], [3], [4]])],
    )
    async def test_write_that_cannot_be_recorded_fails_alone(self, group, event_log, error, batches):
        event_log.errors[3] = error
        tasks = await start(group, 1, 2, 3, 4)
        event_log.commit(10)

        results = await results_of(tasks)

        assert [type(result) for result in results] == [WriteResult, WriteResult, type(error), WriteResult]
        assert event_log.batches == batches
        assert event_log.recorded == [1, 2, 4]

    async def test_write_alone_in_its_batch_is_tried_once(self, group, event_log):
        event_log.errors[1] = ValueError("no such row")
        (task,) = await start(group, 1)
        event_log.commit(5)

        with pytest.raises(ValueError, match="no such row"):
            await task
        assert event_log.batches == [[1]]


class TestClose:
    @pytest.mark.parametrize(("failure", "outcome"), [(None, WriteResult), (Unavailable("away"), Unavailable)])
    async def test_close_waits_for_the_queue_and_refuses_other_writes(self, group, event_log, failure, outcome):
        tasks = await start(group, 1, 2, 3)
        closing = asyncio.create_task(group.close())
        await settle()
        assert not closing.done()
        with pytest.raises(Unavailable, match="shutting down"):
            await group.write(make_write(4))

        event_log.commit(2, failure=failure)
        await closing

        assert all(task.done() for task in tasks)
        assert [type(result) for result in await results_of(tasks)] == [outcome] * 3
        assert event_log.batches == [[1], [2, 3]]

    async def test_closed_group_refuses_writes_and_can_be_closed_again(self, group, event_log):
        await group.close()
        await group.close()

        with pytest.raises(Unavailable, match="shutting down"):
            await group.write(make_write(1))
        assert event_log.batches == []


class TestAppendCounts:
    def test_writes_are_counted_by_outcome_and_events_when_recorded(self):
        counts = AppendCounts()
        recorded = WriteResult([1], NOW)

        counts.add([make_write(1, 3), make_write(2), make_write(3)], [recorded, CONFLICT, recorded])

        assert (counts.recorded, counts.conflicts, counts.failed, counts.refused, counts.events) == (2, 1, 0, 0, 4)
        assert counts.batches[BATCH_BOUNDS.index(5)] == sum(counts.batches) == 1

    @pytest.mark.parametrize("bound", BATCH_BOUNDS)
    def test_batch_is_counted_at_the_first_bound_it_does_not_exceed(self, bound):
        counts = AppendCounts()
        place = BATCH_BOUNDS.index(bound)
        for size in (bound, bound + 1):
            counts.add([make_write(1)] * size, [Unavailable("")] * size)
        assert counts.batches[place : place + 2] == [1, 1]
