"""An append in one statement, where nobody else has appended since: the outcome is that of the long way."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest

from ledger.errors import Unavailable
from ledger.identifiers import client_stream_id
from ledger.postgres.database import Database
from ledger.postgres.inline import OtherVersion
from ledger.postgres.logs import Log
from ledger.postgres.recorder import PostgresRecorder
from ledger.recording import EventMapper, EventToStore, StreamEvent, StreamGuard, VersionConflict, Write, WriteResult
from projections.active_tokens import ActiveTokensProjection
from projections.clients import ClientsProjection
from projections.inline_views import LookUps, PostgresActiveTokens
from tests.breaking_proxy import AtCommit, BreakingProxy
from tests.builders import token_issued, token_revoked

LOG = "at-once"
GUARDED = client_stream_id("shop")


class Process:
    """One process that writes to the log. `long` counts the appends that went the long way."""

    def __init__(self, dsn: str) -> None:
        self.database = Database(dsn, pool_size=4)
        mapper = EventMapper()
        self.log = Log(self.database, LOG)
        self.recorder = PostgresRecorder(self.log, (ActiveTokensProjection(mapper), ClientsProjection(mapper)))
        self.long = 0
        attempt = self.recorder._attempt

        async def counted(*arguments):
            self.long += 1
            await attempt(*arguments)

        self.recorder._attempt = counted

    async def write(self, *writes: Write) -> list:
        return list(await self.recorder.write(writes))

    async def comes_first_twice(self) -> "Process":
        """From here on it knows that it is alone, and where the guarded stream is."""
        for _ in range(2):
            await self.write(guarded(token(), 0))
        self.long = 0
        return self


def stored(stream, version: int, event) -> EventToStore:
    return EventMapper().to_stored_event(StreamEvent(stream, version, event))


def token(**fields) -> EventToStore:
    jti = uuid4()
    return stored(jti, 1, token_issued(jti=jti, digest=jti.bytes * 2, **fields))


def plain(stream=None, version: int = 1, state: bytes = b"{}") -> EventToStore:
    return EventToStore(stream or uuid4(), version, "thing.happened", state, request_id="ours")


def guarded(event: EventToStore, version: int) -> Write:
    return Write([event], [StreamGuard(GUARDED, version)])


@pytest.fixture
async def processes(database):
    made = []

    def start(dsn: str | None = None) -> Process:
        made.append(Process(dsn or database.service_dsn))
        return made[-1]

    yield start
    for process in made:
        await process.database.close()


@pytest.fixture
async def alone(processes) -> Process:
    return await processes().comes_first_twice()


async def positions(process: Process) -> list[int]:
    return [event.position for event in await process.recorder.select_notifications(None, 1000)]


async def test_the_one_who_appends_alone_goes_the_short_way_from_the_third_time_on(processes):
    process = processes()
    for n, long in enumerate([1, 2, 2, 2], start=1):
        (result,) = await process.write(guarded(token(), 0))
        assert list(result.positions) == [n]
        assert process.long == long


async def test_what_is_recorded_is_what_the_long_way_records(alone, processes):
    event = token(scope=("a", "b"), audience=("x", "y"))
    full = EventToStore(**{**event.__dict__, "actor": "client:a", "request_id": "r", "remote_address": "192.0.2.1"})
    (result,) = await alone.write(guarded(full, 0))
    assert alone.long == 0
    (row,) = await alone.recorder.select_events(full.originator_id)
    assert {name: getattr(row, name) for name in full.__dict__} == full.__dict__
    assert (row.position, row.recorded_at) == (result.positions[0], result.recorded_at)
    head = await alone.recorder.head()
    assert (head.position, head.recorded_at) == (row.position, row.recorded_at)
    active = await PostgresActiveTokens(LookUps(alone.log)).get(full.originator_id.bytes * 2)
    assert (active.jti, active.scope, active.audience) == (full.originator_id, "a b", ("x", "y"))
    expected = await processes().write(Write([plain()]))
    assert list(expected[0].positions) == [row.position + 1]
    assert expected[0].recorded_at >= row.recorded_at


async def test_every_write_of_a_batch_has_its_own_positions(alone):
    a, b, c = await alone.write(guarded(token(), 0), Write([plain(), token()]), guarded(token(), 0))
    assert [list(result.positions) for result in (a, b, c)] == [[3], [4, 5], [6]]
    assert await positions(alone) == [1, 2, 3, 4, 5, 6]
    assert alone.long == 0


async def test_after_another_came_between_it_goes_the_long_way_and_nothing_is_lost(alone, processes):
    other = processes()
    await other.write(Write([plain()]))
    (result,) = await alone.write(guarded(token(), 0))
    assert alone.long == 1
    assert list(result.positions) == [4]
    assert await positions(alone) == [1, 2, 3, 4]


async def test_two_who_take_turns_lose_nothing(processes):
    both = [processes(), processes()]
    for n in range(20):
        await both[n // 3 % 2].write(guarded(token(), 0))
    assert await positions(both[0]) == list(range(1, 21))


async def test_a_guard_that_another_has_moved_is_a_conflict(alone, processes):
    await processes().write(Write([plain(GUARDED)]))
    (conflict,) = await alone.write(guarded(token(), 0))
    assert isinstance(conflict, VersionConflict)
    assert len(await positions(alone)) == 3


async def test_a_guard_that_it_has_moved_itself_is_a_conflict(alone):
    await alone.write(Write([plain(GUARDED)]))
    conflict, result = await alone.write(guarded(token(), 0), guarded(token(), 1))
    assert isinstance(conflict, VersionConflict)
    assert isinstance(result, WriteResult)


async def test_a_guard_that_was_moved_earlier_in_the_batch_is_a_conflict(alone):
    moved, conflict = await alone.write(Write([plain(GUARDED)]), guarded(token(), 0))
    assert isinstance(moved, WriteResult)
    assert isinstance(conflict, VersionConflict)


async def test_a_stream_that_is_there_already_is_a_conflict_and_disturbs_nobody(alone):
    taken = plain()
    await alone.write(Write([taken]))
    assert alone.long == 0
    conflict, result = await alone.write(Write([taken]), Write([plain()]))
    assert isinstance(conflict, VersionConflict)
    assert list(result.positions) == [4]
    assert await positions(alone) == [1, 2, 3, 4]


async def test_two_that_begin_one_stream_in_one_batch_are_rivals(alone):
    stream = uuid4()
    first, second = await alone.write(Write([plain(stream)]), Write([plain(stream)]))
    assert isinstance(first, WriteResult)
    assert isinstance(second, VersionConflict)


async def test_what_follows_in_a_stream_goes_the_long_way(alone):
    issued = token()
    await alone.write(guarded(issued, 0))
    digest = issued.originator_id.bytes * 2
    revoked = stored(issued.originator_id, 2, token_revoked(jti=issued.originator_id, digest=digest))
    (result,) = await alone.write(Write([revoked]))
    assert isinstance(result, WriteResult)
    assert alone.long == 1
    assert await PostgresActiveTokens(LookUps(alone.log)).get(digest) is None


async def test_while_somebody_holds_the_head_it_waits_in_line_with_all_others(alone, superuser):
    log_id = await alone.log.to_read()
    transaction = superuser.transaction()
    await transaction.start()
    await superuser.execute("SELECT FROM log_head WHERE log_id = $1 FOR UPDATE", log_id)
    writing = asyncio.create_task(alone.write(guarded(token(), 0)))
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while not await superuser.fetchval(waiting):
        assert not writing.done()
    await transaction.rollback()
    (result,) = await writing
    assert list(result.positions) == [3]
    assert alone.long == 1


async def test_the_clock_of_the_log_does_not_go_back(alone, superuser):
    await superuser.execute("UPDATE log_head SET recorded_at = now() + interval '1 hour'")
    before = (await alone.recorder.head()).recorded_at
    (result,) = await alone.write(guarded(token(), 0))
    assert alone.long == 0
    assert result.recorded_at == before


async def test_rows_of_another_version_are_not_written(alone, superuser):
    await superuser.execute("UPDATE projection_versions SET version = 99 WHERE projection = 'active_tokens'")
    with pytest.raises(OtherVersion):
        await alone.write(guarded(token(), 0))
    assert len(await positions(alone)) == 2


async def test_a_digest_that_is_there_already_is_not_recorded(alone):
    event = token()
    await alone.write(guarded(event, 0))
    digest = event.originator_id.bytes * 2
    jti = uuid4()
    with pytest.raises(asyncpg.UniqueViolationError):
        await alone.write(guarded(stored(jti, 1, token_issued(jti=jti, digest=digest)), 0))
    assert len(await positions(alone)) == 3


@pytest.fixture
async def breakable(database, processes):
    async with BreakingProxy(database.service_dsn).running() as proxy:
        process = await processes(proxy.dsn).comes_first_twice()
        proxy.also_commits = b'{"mark":1}'
        yield process, proxy


class TestWhenTheConnectionBreaks:
    async def test_what_was_recorded_is_acknowledged(self, breakable):
        process, proxy = breakable
        proxy.at_commit = AtCommit.LOSE_ANSWER
        event = plain(state=b'{"mark":1}')
        (result,) = await process.write(Write([event]))
        assert proxy.broken.is_set()
        assert process.long == 0
        (row,) = await process.recorder.select_events(event.originator_id)
        assert (list(result.positions), result.recorded_at) == ([row.position], row.recorded_at)

    async def test_what_was_not_recorded_is_refused(self, breakable):
        process, proxy = breakable
        proxy.at_commit = AtCommit.LOSE_REQUEST
        with pytest.raises(Unavailable, match="nothing was recorded"):
            await process.write(Write([plain(state=b'{"mark":1}')]))
        assert process.long == 0
        assert len(await positions(process)) == 2

    async def test_it_goes_on_afterwards(self, breakable):
        process, proxy = breakable
        proxy.at_commit = AtCommit.LOSE_ANSWER
        await process.write(Write([plain(state=b'{"mark":1}')]))
        for _ in range(4):
            await process.write(guarded(token(), 0))
        assert await positions(process) == list(range(1, 8))
