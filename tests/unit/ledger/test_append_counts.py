"""What a group commit counts of what it does."""

import asyncio
from uuid import UUID, uuid4

import pytest

from ledger.batching.append_counts import BATCH_BOUNDS, AppendCounts
from ledger.batching.group_commit import GroupCommit
from ledger.domain.errors import QueueFull, Unavailable
from ledger.domain.recording import VersionConflict, Write
from ledger.memory.event_log import MemoryEventLog
from tests.builders import FakeClock, row


def write(stream: UUID | None = None, events: int = 1) -> Write:
    stream = stream or uuid4()
    return Write([row(stream, number) for number in range(1, events + 1)])


async def test_writes_are_counted_by_what_became_of_them_and_events_where_they_were_recorded():
    group = GroupCommit(MemoryEventLog(clock=FakeClock()))
    stream = uuid4()
    results = await asyncio.gather(
        *map(group.write, [write(stream, 3), write(stream), write()]), return_exceptions=True
    )
    assert isinstance(results[1], VersionConflict)
    counts = group.counts
    assert (counts.recorded, counts.conflicts, counts.failed, counts.refused, counts.events) == (2, 1, 0, 0, 4)
    assert counts.batches[BATCH_BOUNDS.index(5)] == sum(counts.batches) == 1


async def test_what_could_not_be_recorded_is_counted_as_failed():
    class Away:
        async def append(self, _writes):
            msg = "away"
            raise Unavailable(msg)

    group = GroupCommit(Away())
    await asyncio.gather(*(group.write(write()) for _ in range(2)), return_exceptions=True)
    assert (group.counts.failed, group.counts.recorded, group.counts.events) == (2, 0, 0)


async def test_what_was_refused_was_in_no_batch():
    group = GroupCommit(MemoryEventLog(clock=FakeClock()), max_waiting=1)
    waiting = asyncio.create_task(group.write(write()))
    await asyncio.sleep(0)
    with pytest.raises(QueueFull):
        await group.write(write())
    await waiting
    assert (group.counts.refused, group.counts.recorded, sum(group.counts.batches)) == (1, 1, 1)


@pytest.mark.parametrize("bound", BATCH_BOUNDS)
def test_a_batch_is_counted_at_the_first_bound_it_does_not_exceed(bound):
    counts = AppendCounts()
    place = BATCH_BOUNDS.index(bound)
    for size in (bound, bound + 1):
        counts.add([write()] * size, [Unavailable("")] * size)
    assert counts.batches[place : place + 2] == [1, 1]
