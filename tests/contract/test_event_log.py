"""One behavioural suite for every store of a log: what PostgreSQL does, the memory store does too."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from ledger.domain.recording import EventLog, NewEvent, StreamGuard, VersionConflict, Write, WriteResult
from ledger.memory.event_log import MemoryEventLog
from ledger.postgres.database import Database
from ledger.postgres.event_log import PostgresEventLog
from ledger.postgres.logs import Log
from projections.catalogue import inline_versions
from tests.appending import append_events


@asynccontextmanager
async def postgres_recorder(dsn: str) -> AsyncIterator[EventLog]:
    database = Database(dsn, pool_size=4)
    try:
        yield PostgresEventLog(Log(database, "contract"), inline_versions())
    finally:
        await database.close()


@pytest.fixture(params=["memory", "postgres"])
async def event_log(request):
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            yield MemoryEventLog(clock=lambda: datetime.now(UTC))
        else:
            database = request.getfixturevalue("database")
            yield await stack.enter_async_context(postgres_recorder(database.service_dsn))


def event(stream: UUID, version: int, topic: str = "thing.happened", **fields: object) -> NewEvent:
    return NewEvent(stream_id=stream, stream_version=version, topic=topic, payload=b'{"n":%d}' % version, **fields)


def stream_of(n: int) -> UUID:
    return UUID(int=n)


async def fill(event_log: EventLog, count: int, stream: UUID | None = None) -> UUID:
    stream = stream or uuid4()
    for version in range(1, count + 1):
        await append_events(event_log, [event(stream, version, topic=f"topic.{version % 2}")])
    return stream


class TestAnEmptyLog:
    async def test_head_is_zero(self, event_log):
        assert (await event_log.head()).position == 0

    async def test_reads_return_nothing(self, event_log):
        assert await event_log.read(0, 10) == []
        assert await event_log.read_stream(uuid4()) == []


class TestWhatIsRecorded:
    async def test_events_are_read_as_they_were_written(self, event_log):
        stream = uuid4()
        written = NewEvent(
            stream_id=stream,
            stream_version=1,
            topic="token.issued",
            payload='{"name":"Zoë"}'.encode(),
            schema_version=3,
            actor="client:a",
            request_id="request-1",
            remote_address="192.0.2.7",
        )
        await append_events(event_log, [written])
        (read,) = await event_log.read_stream(stream)
        assert (read.position, read.stream_id, read.stream_version) == (1, stream, 1)
        assert (read.topic, read.schema_version, read.payload) == ("token.issued", 3, '{"name":"Zoë"}'.encode())
        assert (read.actor, read.request_id, read.remote_address) == ("client:a", "request-1", "192.0.2.7")

    async def test_event_can_have_no_cause(self, event_log):
        stream = uuid4()
        await append_events(event_log, [event(stream, 1)])
        (read,) = await event_log.read_stream(stream)
        assert (read.actor, read.request_id, read.remote_address) == (None, None, None)

    async def test_positions_are_dense_across_streams_and_writes(self, event_log):
        a, b = uuid4(), uuid4()
        assert list(await append_events(event_log, [event(a, 1), event(a, 2)])) == [1, 2]
        assert list(await append_events(event_log, [event(b, 1)])) == [3]
        assert list(await append_events(event_log, [event(a, 3), event(b, 2)])) == [4, 5]
        assert [e.position for e in await event_log.read(0, 10)] == [1, 2, 3, 4, 5]

    async def test_recorded_at_is_now_with_a_time_zone(self, event_log):
        await fill(event_log, 1)
        (read,) = await event_log.read(0, 1)
        assert abs(datetime.now(UTC) - read.recorded_at) < timedelta(minutes=1)

    async def test_recorded_at_never_goes_back(self, event_log):
        await fill(event_log, 5)
        instants = [e.recorded_at for e in await event_log.read(0, 10)]
        assert instants == sorted(instants)

    async def test_events_of_a_write_share_one_instant(self, event_log):
        stream = uuid4()
        (result,) = await event_log.append([Write([event(stream, 1), event(stream, 2)])])
        assert isinstance(result, WriteResult)
        assert {e.recorded_at for e in await event_log.read_stream(stream)} == {result.recorded_at}
        assert (await event_log.head()).recorded_at == result.recorded_at


class TestConflicts:
    async def test_write_conflicts_when_its_version_is_taken(self, event_log):
        stream = await fill(event_log, 2)
        with pytest.raises(VersionConflict):
            await append_events(event_log, [event(stream, 2)])

    async def test_write_conflicts_when_it_leaves_a_gap(self, event_log):
        stream = await fill(event_log, 2)
        with pytest.raises(VersionConflict):
            await append_events(event_log, [event(stream, 4)])

    @pytest.mark.parametrize("version", [0, 2, -1])
    async def test_write_conflicts_when_a_new_stream_starts_late(self, event_log, version):
        with pytest.raises(VersionConflict):
            await append_events(event_log, [event(uuid4(), version)])

    async def test_write_conflicts_when_it_has_a_gap_itself(self, event_log):
        stream = uuid4()
        with pytest.raises(VersionConflict):
            await append_events(event_log, [event(stream, 1), event(stream, 3)])

    async def test_write_in_conflict_records_nothing(self, event_log):
        stream, other = await fill(event_log, 1), uuid4()
        with pytest.raises(VersionConflict):
            await append_events(event_log, [event(other, 1), event(stream, 1)])
        assert await event_log.read_stream(other) == []
        assert (await event_log.head()).position == 1

    async def test_other_writes_of_the_batch_are_recorded_despite_a_conflict(self, event_log):
        stream, a, b = await fill(event_log, 1), uuid4(), uuid4()
        before, conflict, after = await event_log.append(
            [Write([event(a, 1)]), Write([event(stream, 1)]), Write([event(b, 1)])]
        )
        assert isinstance(conflict, VersionConflict)
        assert isinstance(before, WriteResult)
        assert isinstance(after, WriteResult)
        assert (list(before.positions), list(after.positions)) == ([2], [3])
        assert [e.position for e in await event_log.read(0, 10)] == [1, 2, 3]

    async def test_first_of_two_rival_writes_of_a_batch_is_recorded(self, event_log):
        stream = uuid4()
        first, second = await event_log.append([Write([event(stream, 1)]), Write([event(stream, 1, topic="other")])])
        assert isinstance(first, WriteResult)
        assert isinstance(second, VersionConflict)
        assert [e.topic for e in await event_log.read_stream(stream)] == ["thing.happened"]

    async def test_write_can_follow_an_earlier_write_of_its_batch(self, event_log):
        stream = uuid4()
        results = await event_log.append([Write([event(stream, 1)]), Write([event(stream, 2)])])
        assert [list(r.positions) for r in results] == [[1], [2]]

    async def test_head_stays_when_every_write_conflicts(self, event_log):
        stream = await fill(event_log, 1)
        results = await event_log.append([Write([event(stream, 1)]), Write([event(stream, 3)])])
        assert all(isinstance(r, VersionConflict) for r in results)
        assert (await event_log.head()).position == 1

    async def test_conflict_names_the_stream_and_its_version(self, event_log):
        stream = await fill(event_log, 2)
        with pytest.raises(VersionConflict, match=rf"{stream} is at version 2"):
            await append_events(event_log, [event(stream, 1)])


class TestGuards:
    async def test_write_is_recorded_when_its_guard_holds(self, event_log):
        watched = await fill(event_log, 2)
        (result,) = await event_log.append([Write([event(uuid4(), 1)], (StreamGuard(watched, 2),))])
        assert isinstance(result, WriteResult)

    @pytest.mark.parametrize("version", [0, 1, 3])
    async def test_write_conflicts_when_its_guard_does_not_hold(self, event_log, version):
        watched = await fill(event_log, 2)
        (result,) = await event_log.append([Write([event(uuid4(), 1)], (StreamGuard(watched, version),))])
        assert isinstance(result, VersionConflict)
        assert (await event_log.head()).position == 2

    async def test_guard_at_zero_requires_that_the_stream_does_not_exist(self, event_log):
        (result,) = await event_log.append([Write([event(uuid4(), 1)], (StreamGuard(uuid4(), 0),))])
        assert isinstance(result, WriteResult)

    async def test_guard_sees_earlier_writes_of_its_batch(self, event_log):
        watched = await fill(event_log, 1)
        moved, guarded = await event_log.append(
            [Write([event(watched, 2)]), Write([event(uuid4(), 1)], (StreamGuard(watched, 1),))]
        )
        assert isinstance(moved, WriteResult)
        assert isinstance(guarded, VersionConflict)


class TestReadingAStream:
    async def test_stream_has_its_own_events_in_order(self, event_log):
        await fill(event_log, 2)
        stream = await fill(event_log, 3)
        assert [e.stream_version for e in await event_log.read_stream(stream)] == [1, 2, 3]
        assert {e.stream_id for e in await event_log.read_stream(stream)} == {stream}


class TestReadingTheLog:
    @pytest.mark.parametrize(
        ("after", "limit", "positions"),
        [(0, 10, [1, 2, 3, 4, 5]), (3, 10, [4, 5]), (1, 2, [2, 3]), (5, 10, []), (0, 0, [])],
    )
    async def test_page_starts_after_a_position_and_is_limited(self, event_log, after, limit, positions):
        await fill(event_log, 5)
        assert [e.position for e in await event_log.read(after, limit)] == positions
