"""One behavioural suite for every store of a log: what PostgreSQL does, the memory store does too."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from ledger.domain.recording import EventToStore, Recorder, StreamGuard, VersionConflict, Write, WriteResult
from ledger.memory.recorder import MemoryRecorder
from ledger.postgres.database import Database
from ledger.postgres.logs import Log
from ledger.postgres.recorder import PostgresRecorder


@asynccontextmanager
async def postgres_recorder(dsn: str) -> AsyncIterator[Recorder]:
    database = Database(dsn, pool_size=4)
    try:
        yield PostgresRecorder(Log(database, "contract"))
    finally:
        await database.close()


@pytest.fixture(params=["memory", "postgres"])
async def recorder(request):
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            yield MemoryRecorder(clock=lambda: datetime.now(UTC))
        else:
            database = request.getfixturevalue("database")
            yield await stack.enter_async_context(postgres_recorder(database.service_dsn))


def event(stream: UUID, version: int, topic: str = "thing.happened", **fields: object) -> EventToStore:
    return EventToStore(
        originator_id=stream, originator_version=version, topic=topic, state=b'{"n":%d}' % version, **fields
    )


def stream_of(n: int) -> UUID:
    return UUID(int=n)


async def fill(recorder: Recorder, count: int, stream: UUID | None = None) -> UUID:
    stream = stream or uuid4()
    for version in range(1, count + 1):
        await recorder.insert_events([event(stream, version, topic=f"topic.{version % 2}")])
    return stream


class TestAnEmptyLog:
    async def test_has_no_newest_position(self, recorder):
        assert await recorder.max_notification_id() is None

    async def test_has_its_head_at_zero(self, recorder):
        assert (await recorder.head()).position == 0

    async def test_gives_no_events(self, recorder):
        assert await recorder.select_notifications(None, 10) == []
        assert await recorder.select_events(uuid4()) == []

    async def test_takes_no_events_without_moving(self, recorder):
        assert list(await recorder.insert_events([])) == []
        assert (await recorder.head()).position == 0


class TestWhatIsRecorded:
    async def test_is_read_back_as_it_was_written(self, recorder):
        stream = uuid4()
        written = EventToStore(
            originator_id=stream,
            originator_version=1,
            topic="token.issued",
            state='{"name":"Zoë"}'.encode(),
            schema_version=3,
            actor="client:a",
            request_id="request-1",
            remote_address="192.0.2.7",
        )
        await recorder.insert_events([written])
        (read,) = await recorder.select_events(stream)
        assert (read.position, read.originator_id, read.originator_version) == (1, stream, 1)
        assert (read.topic, read.schema_version, read.state) == ("token.issued", 3, '{"name":"Zoë"}'.encode())
        assert (read.actor, read.request_id, read.remote_address) == ("client:a", "request-1", "192.0.2.7")

    async def test_may_come_without_a_cause(self, recorder):
        stream = uuid4()
        await recorder.insert_events([event(stream, 1)])
        (read,) = await recorder.select_events(stream)
        assert (read.actor, read.request_id, read.remote_address) == (None, None, None)

    async def test_has_dense_positions_across_streams_and_writes(self, recorder):
        a, b = uuid4(), uuid4()
        assert list(await recorder.insert_events([event(a, 1), event(a, 2)])) == [1, 2]
        assert list(await recorder.insert_events([event(b, 1)])) == [3]
        assert list(await recorder.insert_events([event(a, 3), event(b, 2)])) == [4, 5]
        assert [e.position for e in await recorder.select_notifications(None, 10)] == [1, 2, 3, 4, 5]

    async def test_has_an_instant_with_a_time_zone_near_now(self, recorder):
        await fill(recorder, 1)
        (read,) = await recorder.select_notifications(None, 1)
        assert abs(datetime.now(UTC) - read.recorded_at) < timedelta(minutes=1)

    async def test_has_instants_that_never_go_back(self, recorder):
        await fill(recorder, 5)
        instants = [e.recorded_at for e in await recorder.select_notifications(None, 10)]
        assert instants == sorted(instants)

    async def test_shares_one_instant_within_a_write(self, recorder):
        stream = uuid4()
        (result,) = await recorder.write([Write([event(stream, 1), event(stream, 2)])])
        assert isinstance(result, WriteResult)
        assert {e.recorded_at for e in await recorder.select_events(stream)} == {result.recorded_at}
        assert (await recorder.head()).recorded_at == result.recorded_at


class TestConflicts:
    async def test_a_version_that_is_taken_is_a_conflict(self, recorder):
        stream = await fill(recorder, 2)
        with pytest.raises(VersionConflict):
            await recorder.insert_events([event(stream, 2)])

    async def test_a_version_that_leaves_a_gap_is_a_conflict(self, recorder):
        stream = await fill(recorder, 2)
        with pytest.raises(VersionConflict):
            await recorder.insert_events([event(stream, 4)])

    @pytest.mark.parametrize("version", [0, 2, -1])
    async def test_a_new_stream_starts_at_version_one(self, recorder, version):
        with pytest.raises(VersionConflict):
            await recorder.insert_events([event(uuid4(), version)])

    async def test_a_gap_within_a_write_is_a_conflict(self, recorder):
        stream = uuid4()
        with pytest.raises(VersionConflict):
            await recorder.insert_events([event(stream, 1), event(stream, 3)])

    async def test_a_conflict_records_nothing_of_its_write(self, recorder):
        stream, other = await fill(recorder, 1), uuid4()
        with pytest.raises(VersionConflict):
            await recorder.insert_events([event(other, 1), event(stream, 1)])
        assert await recorder.select_events(other) == []
        assert (await recorder.head()).position == 1

    async def test_a_conflict_does_not_disturb_the_rest_of_its_batch(self, recorder):
        stream, a, b = await fill(recorder, 1), uuid4(), uuid4()
        before, conflict, after = await recorder.write(
            [Write([event(a, 1)]), Write([event(stream, 1)]), Write([event(b, 1)])]
        )
        assert isinstance(conflict, VersionConflict)
        assert isinstance(before, WriteResult)
        assert isinstance(after, WriteResult)
        assert (list(before.positions), list(after.positions)) == ([2], [3])
        assert [e.position for e in await recorder.select_notifications(None, 10)] == [1, 2, 3]

    async def test_within_a_batch_the_first_of_two_rivals_wins(self, recorder):
        stream = uuid4()
        first, second = await recorder.write([Write([event(stream, 1)]), Write([event(stream, 1, topic="other")])])
        assert isinstance(first, WriteResult)
        assert isinstance(second, VersionConflict)
        assert [e.topic for e in await recorder.select_events(stream)] == ["thing.happened"]

    async def test_within_a_batch_a_write_may_follow_another(self, recorder):
        stream = uuid4()
        results = await recorder.write([Write([event(stream, 1)]), Write([event(stream, 2)])])
        assert [list(r.positions) for r in results] == [[1], [2]]

    async def test_a_batch_of_conflicts_moves_nothing(self, recorder):
        stream = await fill(recorder, 1)
        results = await recorder.write([Write([event(stream, 1)]), Write([event(stream, 3)])])
        assert all(isinstance(r, VersionConflict) for r in results)
        assert (await recorder.head()).position == 1

    async def test_a_conflict_names_the_stream_and_its_version(self, recorder):
        stream = await fill(recorder, 2)
        with pytest.raises(VersionConflict, match=rf"{stream} is at version 2"):
            await recorder.insert_events([event(stream, 1)])


class TestGuards:
    async def test_a_guard_that_holds_lets_the_write_through(self, recorder):
        watched = await fill(recorder, 2)
        (result,) = await recorder.write([Write([event(uuid4(), 1)], (StreamGuard(watched, 2),))])
        assert isinstance(result, WriteResult)

    @pytest.mark.parametrize("version", [0, 1, 3])
    async def test_a_guard_that_does_not_hold_is_a_conflict(self, recorder, version):
        watched = await fill(recorder, 2)
        (result,) = await recorder.write([Write([event(uuid4(), 1)], (StreamGuard(watched, version),))])
        assert isinstance(result, VersionConflict)
        assert (await recorder.head()).position == 2

    async def test_a_guard_at_zero_asks_that_the_stream_does_not_exist(self, recorder):
        (result,) = await recorder.write([Write([event(uuid4(), 1)], (StreamGuard(uuid4(), 0),))])
        assert isinstance(result, WriteResult)

    async def test_a_guard_sees_earlier_writes_of_its_batch(self, recorder):
        watched = await fill(recorder, 1)
        moved, guarded = await recorder.write(
            [Write([event(watched, 2)]), Write([event(uuid4(), 1)], (StreamGuard(watched, 1),))]
        )
        assert isinstance(moved, WriteResult)
        assert isinstance(guarded, VersionConflict)


class TestReadingAStream:
    async def test_gives_its_events_only_in_order(self, recorder):
        await fill(recorder, 2)
        stream = await fill(recorder, 3)
        assert [e.originator_version for e in await recorder.select_events(stream)] == [1, 2, 3]
        assert {e.originator_id for e in await recorder.select_events(stream)} == {stream}

    @pytest.mark.parametrize(
        ("bounds", "versions"),
        [
            ({"gt": 2}, [3, 4]),
            ({"lte": 2}, [1, 2]),
            ({"gt": 1, "lte": 3}, [2, 3]),
            ({"desc": True}, [4, 3, 2, 1]),
            ({"limit": 2}, [1, 2]),
            ({"desc": True, "limit": 1}, [4]),
            ({"gt": 4}, []),
            ({"limit": 0}, []),
        ],
    )
    async def test_within_bounds(self, recorder, bounds, versions):
        stream = await fill(recorder, 4)
        assert [e.originator_version for e in await recorder.select_events(stream, **bounds)] == versions


class TestReadingTheLog:
    @pytest.mark.parametrize(
        ("arguments", "positions"),
        [
            ({"start": None, "limit": 10}, [1, 2, 3, 4, 5]),
            ({"start": 3, "limit": 10}, [3, 4, 5]),
            ({"start": 3, "limit": 10, "inclusive_of_start": False}, [4, 5]),
            ({"start": 2, "limit": 2}, [2, 3]),
            ({"start": 2, "limit": 10, "stop": 3}, [2, 3]),
            ({"start": None, "limit": 10, "topics": ["topic.1"]}, [1, 3, 5]),
            ({"start": 2, "limit": 1, "topics": ["topic.1"]}, [3]),
            ({"start": None, "limit": 10, "topics": ["topic.0", "topic.1"]}, [1, 2, 3, 4, 5]),
            ({"start": None, "limit": 10, "topics": ["no.such"]}, []),
            ({"start": 6, "limit": 10}, []),
        ],
    )
    async def test_gives_a_page(self, recorder, arguments, positions):
        await fill(recorder, 5)
        assert [e.position for e in await recorder.select_notifications(**arguments)] == positions
