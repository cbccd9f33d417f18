"""Group commit: while one batch commits the next one gathers."""

import asyncio
from uuid import uuid4

import pytest

from ledger.batching.group_commit import GroupCommit
from ledger.domain.errors import OutcomeUnknown, QueueFull, Unavailable
from ledger.domain.recording import VersionConflict, Write, WriteResult
from tests.builders import NOW, row, settle


class HeldEventLog:
    """Takes batches and commits each only when it is let go."""

    def __init__(self):
        self.batches: list[list[int]] = []
        self.recorded: list[int] = []
        self.answers: dict[int, Exception] = {}
        self._commits: asyncio.Queue[Exception | None] = asyncio.Queue()
        self.under_way = 0

    async def append(self, writes):
        assert self.under_way == 0, "two batches at once"
        names = [name_of(write) for write in writes]
        self.batches.append(names)
        self.under_way += 1
        try:
            failure = await self._commits.get()
        finally:
            self.under_way -= 1
        if failure is not None:
            raise failure
        results = []
        for name in names:
            refused = self.answers.get(name)
            if refused is not None and not isinstance(refused, VersionConflict):
                raise refused
            if refused is None:
                self.recorded.append(name)
            results.append(refused or WriteResult([len(self.recorded)], NOW))
        return results

    def let_go(self, times: int = 1, failure: Exception | None = None):
        for _ in range(times):
            self._commits.put_nowait(failure)


def a_write(name: int) -> Write:
    return Write((row(name),))


def name_of(write: Write) -> int:
    return write.events[0].stream_id.int


@pytest.fixture(autouse=True)
async def _waits_end():
    """What would wait for ever is cancelled after some seconds, and fails its test."""
    loop = asyncio.get_running_loop()
    alarm = loop.call_later(5, lambda: [task.cancel("waited too long") for task in asyncio.all_tasks(loop)])
    yield
    alarm.cancel()


@pytest.fixture
async def event_log():
    return HeldEventLog()


@pytest.fixture
async def log(event_log):
    log = GroupCommit(event_log, max_waiting=8, max_batch=4)
    yield log
    event_log.let_go(100)
    await log.close()


async def asked(log, *names: int) -> list[asyncio.Task]:
    """Tasks that write these, in this order, as far as they come without a commit."""
    tasks = []
    for name in names:
        tasks.append(asyncio.create_task(log.write(a_write(name))))
        await settle()
    return tasks


class TestBatches:
    async def test_the_first_write_does_not_wait_for_company(self, log, event_log):
        await asked(log, 1)

        assert event_log.batches == [[1]]

    async def test_writes_gather_while_one_batch_commits(self, log, event_log):
        await asked(log, 1, 2, 3, 4)
        assert event_log.batches == [[1]]
        assert log.waiting == 3

        event_log.let_go()
        await settle()

        assert event_log.batches == [[1], [2, 3, 4]]
        assert log.waiting == 0

    async def test_writes_asked_in_one_turn_of_the_loop_share_the_first_batch(self, log, event_log):
        tasks = [asyncio.create_task(log.write(a_write(name))) for name in (1, 2, 3)]
        await settle()

        assert event_log.batches == [[1, 2, 3]]
        event_log.let_go()
        await asyncio.gather(*tasks)

    async def test_writes_are_recorded_in_the_order_they_came(self, log, event_log):
        tasks = await asked(log, 5, 3, 4, 1, 2)
        event_log.let_go(2)
        await asyncio.gather(*tasks)

        assert event_log.recorded == [5, 3, 4, 1, 2]

    async def test_a_batch_is_bounded(self, log, event_log):
        tasks = await asked(log, *range(1, 8))
        event_log.let_go(3)
        await asyncio.gather(*tasks)

        assert event_log.batches == [[1], [2, 3, 4, 5], [6, 7]]

    async def test_each_caller_gets_its_own_position(self, log, event_log):
        tasks = await asked(log, 1, 2, 3)
        event_log.let_go(2)

        results = await asyncio.gather(*tasks)

        assert [list(result.positions) for result in results] == [[1], [2], [3]]

    async def test_nothing_is_answered_before_it_is_committed(self, log, event_log):
        tasks = await asked(log, 1, 2)

        assert not any(task.done() for task in tasks)

    async def test_nothing_runs_when_idle(self, log, event_log):
        (task,) = await asked(log, 1)
        event_log.let_go()
        await task
        await settle()

        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert event_log.batches == [[1]]

    async def test_it_starts_again_after_it_was_idle(self, log, event_log):
        event_log.let_go(2)
        await log.write(a_write(1))
        await settle()
        await log.write(a_write(2))

        assert event_log.batches == [[1], [2]]


class TestConflicts:
    async def test_the_conflict_of_one_does_not_touch_the_others(self, log, event_log):
        event_log.answers[3] = VersionConflict(uuid4(), version=2)
        tasks = await asked(log, 1, 2, 3, 4)
        event_log.let_go(2)

        results = await asyncio.gather(*tasks, return_exceptions=True)

        assert [type(result) for result in results] == [WriteResult, WriteResult, VersionConflict, WriteResult]
        assert event_log.batches == [[1], [2, 3, 4]]
        assert event_log.recorded == [1, 2, 4]


class TestCancelledCallers:
    async def test_a_write_under_way_is_recorded_though_its_caller_left(self, log, event_log):
        (task,) = await asked(log, 1)
        task.cancel()
        event_log.let_go()
        await settle()

        assert task.cancelled()
        assert event_log.recorded == [1]

    async def test_a_write_that_waits_is_recorded_though_its_caller_left(self, log, event_log):
        tasks = await asked(log, 1, 2, 3)
        tasks[1].cancel()
        event_log.let_go(2)
        await settle()

        assert event_log.recorded == [1, 2, 3]
        assert [task.done() and not task.cancelled() for task in tasks] == [True, False, True]

    async def test_a_failure_nobody_waits_for_is_not_reported_as_forgotten(self, log, event_log, caplog):
        (task,) = await asked(log, 1)
        task.cancel()
        event_log.let_go(failure=Unavailable("away"))
        await settle()

        assert not caplog.records


class TestTheBound:
    async def test_one_write_too_many_is_refused_at_once(self, log, event_log):
        await asked(log, 0, *range(1, 9))

        with pytest.raises(QueueFull, match="8 writes wait"):
            await log.write(a_write(99))

        event_log.let_go(10)
        await settle()
        assert 99 not in event_log.recorded

    async def test_writes_are_taken_again_once_there_is_room(self, log, event_log):
        await asked(log, 0, *range(1, 9))
        event_log.let_go()
        await settle()

        (task,) = await asked(log, 99)
        event_log.let_go(10)

        assert (await task).positions == [10]

    async def test_those_that_wait_are_not_disturbed_by_a_refusal(self, log, event_log):
        tasks = await asked(log, 0, *range(1, 9))
        with pytest.raises(QueueFull):
            await log.write(a_write(99))
        event_log.let_go(3)
        await asyncio.gather(*tasks)

        assert event_log.recorded == list(range(9))


class TestFailures:
    @pytest.mark.parametrize("failure", [Unavailable("away"), OutcomeUnknown("who knows")])
    async def test_unavailable_goes_to_all_of_the_batch_and_is_not_tried_again(self, log, event_log, failure):
        tasks = await asked(log, 1, 2, 3)
        event_log.let_go()
        event_log.let_go(failure=failure)

        first, *others = await asyncio.gather(*tasks, return_exceptions=True)

        assert isinstance(first, WriteResult)
        assert others == [failure, failure]
        assert event_log.batches == [[1], [2, 3]]

    async def test_the_batch_after_a_failed_one_is_recorded(self, log, event_log):
        tasks = await asked(log, 1, 2)
        event_log.let_go(failure=Unavailable("away"))
        event_log.let_go()

        first, second = await asyncio.gather(*tasks, return_exceptions=True)

        assert isinstance(first, Unavailable)
        assert isinstance(second, WriteResult)

    async def test_a_write_that_cannot_be_recorded_at_all_does_not_take_its_batch_along(self, log, event_log):
        event_log.answers[3] = ValueError("no such row")
        tasks = await asked(log, 1, 2, 3, 4)
        event_log.let_go(10)

        results = await asyncio.gather(*tasks, return_exceptions=True)

        assert [type(result) for result in results] == [WriteResult, WriteResult, ValueError, WriteResult]
        assert event_log.batches[2:] == [[2], [3], [4]], "the batch was not taken apart, in its order"

    async def test_a_write_alone_that_cannot_be_recorded_is_tried_once(self, log, event_log):
        event_log.answers[1] = ValueError("no such row")
        (task,) = await asked(log, 1)
        event_log.let_go(5)

        with pytest.raises(ValueError, match="no such row"):
            await task
        assert event_log.batches == [[1]]


class TestClosing:
    async def test_it_returns_once_those_that_wait_are_answered(self, log, event_log):
        tasks = await asked(log, 1, 2, 3)
        closing = asyncio.create_task(log.close())
        await settle()
        assert not closing.done()

        event_log.let_go(2)
        await closing

        assert all(task.done() for task in tasks)
        assert event_log.recorded == [1, 2, 3]

    async def test_later_writes_are_refused(self, log, event_log):
        await log.close()

        with pytest.raises(Unavailable, match="shutting down"):
            await log.write(a_write(1))
        assert event_log.batches == []

    async def test_writes_are_refused_while_it_drains(self, log, event_log):
        await asked(log, 1)
        closing = asyncio.create_task(log.close())
        await settle()

        with pytest.raises(Unavailable, match="shutting down"):
            await log.write(a_write(2))
        event_log.let_go()
        await closing

    async def test_it_can_be_closed_twice(self, log):
        await log.close()
        await log.close()

    async def test_a_failure_while_it_drains_is_answered_too(self, log, event_log):
        tasks = await asked(log, 1, 2)
        closing = asyncio.create_task(log.close())
        event_log.let_go(2, failure=Unavailable("away"))
        await closing

        assert [type(task.exception()) for task in tasks] == [Unavailable, Unavailable]
