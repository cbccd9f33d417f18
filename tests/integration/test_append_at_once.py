"""An append in one statement: the outcome is that of looking at each write under the lock."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest
from msgspec.structs import asdict, replace

from ledger.batching.append_counts import BATCH_BOUNDS
from ledger.batching.group_commit import GroupCommit
from ledger.domain.errors import Unavailable
from ledger.domain.identifiers import client_stream_id
from ledger.domain.recording import (
    EventMapper,
    NewEvent,
    StreamEvent,
    StreamGuard,
    VersionConflict,
    Write,
    WriteResult,
)
from ledger.postgres import at_once
from ledger.postgres.database import Database
from ledger.postgres.event_log import PostgresEventLog
from ledger.postgres.inline import OtherVersion
from ledger.postgres.logs import Log
from ledger.use_cases.ports import ActiveToken
from projections.active_tokens import ActiveTokensProjection
from projections.clients import ClientsProjection
from projections.lookups import LookUps, PostgresActiveTokens
from tests.breaking_proxy import AtCommit, BreakingProxy
from tests.builders import token_issued, token_revoked

LOG = "at-once"
GUARDED = client_stream_id("shop")
WAIT_FOR_A_LOCK = """
    SELECT count(*) FROM pg_stat_clear_snapshot(), pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


class Process:
    """One process that writes to the log. `waited` counts what waited for the head, `each` what looked at each."""

    def __init__(self, dsn: str) -> None:
        self.database = Database(dsn, pool_size=4)
        mapper = EventMapper()
        self.log = Log(self.database, LOG)
        self.event_log = PostgresEventLog(self.log, (ActiveTokensProjection(mapper), ClientsProjection(mapper)))
        self.waited = self.each = 0
        appender = self.event_log._appender
        in_turn, each = appender._append_in_turn, appender._append_each

        async def count_waiting(*arguments):
            self.waited += 1
            return await in_turn(*arguments)

        async def count_each(*arguments):
            self.each += 1
            return await each(*arguments)

        appender._append_in_turn, appender._append_each = count_waiting, count_each

    @property
    def ways(self) -> tuple[int, int]:
        return self.waited, self.each

    async def write(self, *writes: Write) -> list:
        return list(await self.event_log.append(writes))


def stored(stream, version: int, event) -> NewEvent:
    return EventMapper().encode(StreamEvent(stream, version, event))


def token(**fields) -> NewEvent:
    jti = uuid4()
    return stored(jti, 1, token_issued(jti=jti, digest=jti.bytes * 2, **fields))


def plain(stream=None, version: int = 1, payload: bytes = b"{}") -> NewEvent:
    return NewEvent(
        stream_id=stream or uuid4(),
        stream_version=version,
        topic="thing.happened",
        payload=payload,
        request_id="ours",
    )


def revocation(issued: NewEvent) -> NewEvent:
    jti = issued.stream_id
    return stored(jti, 2, token_revoked(jti=jti, digest=jti.bytes * 2))


async def active(process: Process, issued: NewEvent) -> ActiveToken | None:
    return await PostgresActiveTokens(LookUps(process.log)).get(issued.stream_id.bytes * 2)


def guarded(event: NewEvent, version: int) -> Write:
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
    process = processes()
    for _ in range(2):
        await process.write(guarded(token(), 0))
    assert process.ways == (0, 0)
    return process


async def somebody_waits(superuser, *, unless: asyncio.Future, how_many: int = 1) -> None:
    while await superuser.fetchval(WAIT_FOR_A_LOCK) < how_many:
        assert not unless.done()


async def positions(process: Process) -> list[int]:
    return [event.position for event in await process.event_log.read(0, 1000)]


async def test_what_is_recorded_is_what_the_long_way_records(alone, processes):
    event = token(scope=("a", "b"), audience=("x", "y"))
    full = replace(event, actor="client:a", request_id="r", remote_address="192.0.2.1")
    (result,) = await alone.write(guarded(full, 0))
    assert alone.ways == (0, 0)
    (row,) = await alone.event_log.read_stream(full.stream_id)
    assert {name: getattr(row, name) for name in full.__struct_fields__} == asdict(full)
    assert (row.position, row.recorded_at) == (result.positions[0], result.recorded_at)
    head = await alone.event_log.head()
    assert (head.position, head.recorded_at) == (row.position, row.recorded_at)
    active = await PostgresActiveTokens(LookUps(alone.log)).get(full.stream_id.bytes * 2)
    assert (active.jti, active.scope, active.audience) == (full.stream_id, "a b", ("x", "y"))
    expected = await processes().write(Write([plain()]))
    assert list(expected[0].positions) == [row.position + 1]
    assert expected[0].recorded_at >= row.recorded_at


async def test_every_write_of_a_batch_has_its_own_positions(alone):
    a, b, c = await alone.write(guarded(token(), 0), Write([plain(), token()]), guarded(token(), 0))
    assert [list(result.positions) for result in (a, b, c)] == [[3], [4, 5], [6]]
    assert await positions(alone) == [1, 2, 3, 4, 5, 6]
    assert alone.ways == (0, 0)


async def test_after_another_came_between_it_is_one_statement_all_the_same(alone, processes):
    await processes().write(Write([plain()]))
    (result,) = await alone.write(guarded(token(), 0))
    assert alone.ways == (0, 0)
    assert list(result.positions) == [4]
    assert await positions(alone) == [1, 2, 3, 4]


async def test_two_who_take_turns_lose_nothing(processes):
    both = [processes(), processes()]
    for n in range(20):
        await both[n // 3 % 2].write(guarded(token(), 0))
    assert await positions(both[0]) == list(range(1, 21))


async def test_of_many_that_append_at_the_same_time_nothing_is_lost_and_no_guard_passed_over(processes):
    rivals = [processes() for _ in range(4)]
    moved = asyncio.Event()

    async def issue(process: Process) -> list[tuple[int, int]]:
        """Where each token is, and at which version of the guarded stream it was decided."""
        issued, version = [], 0
        while len(issued) < 30:
            before = 1 if moved.is_set() else 0
            (result,) = await process.write(guarded(token(), version))
            if isinstance(result, VersionConflict):
                version = 1
                continue
            assert version >= before
            issued.append((result.positions[0], version))
        return issued

    async def move() -> int:
        (result,) = await rivals[0].write(Write([plain(GUARDED)]))
        moved.set()
        return result.positions[0]

    at, *issued = await asyncio.gather(move(), *map(issue, rivals))
    everything = [place for places in issued for place in places]
    assert sorted([at, *(position for position, _ in everything)]) == list(range(1, 122))
    assert all((position > at) == (version == 1) for position, version in everything)


async def test_a_guard_that_another_has_moved_is_a_conflict(alone, processes):
    await processes().write(Write([plain(GUARDED)]))
    conflict, result = await alone.write(guarded(token(), 0), Write([plain()]))
    assert isinstance(conflict, VersionConflict)
    assert list(result.positions) == [4]
    assert await positions(alone) == [1, 2, 3, 4]


@pytest.fixture
async def held_up(monkeypatch, superuser):
    """An append that began, and has not come to the head yet, waits until this is set."""
    begun = "WHERE h.log_id = $1"
    waits = f"{begun} AND (SELECT pg_advisory_xact_lock_shared(7)) IS NOT NULL"
    monkeypatch.setitem(at_once.SQL, "append_at_once", at_once.SQL["append_at_once"].replace(begun, waits, 1))
    at_once._text.cache_clear()
    await superuser.execute("SELECT pg_advisory_lock(7)")
    yield lambda: superuser.execute("SELECT pg_advisory_unlock(7)")
    at_once._text.cache_clear()


async def test_what_is_appended_after_the_statement_began_is_not_passed_over(alone, processes, superuser, held_up):
    writing = asyncio.create_task(alone.write(guarded(token(), 0)))
    await somebody_waits(superuser, unless=writing)
    # These rest on each other, so that this goes without the statement.
    await processes().write(Write([plain(GUARDED)]), guarded(token(), 1))
    await held_up()
    (conflict,) = await writing
    assert isinstance(conflict, VersionConflict)
    assert await positions(alone) == [1, 2, 3, 4]


async def test_after_a_conflict_it_is_one_statement_again(alone, processes):
    await processes().write(Write([plain(GUARDED)]))
    await alone.write(guarded(token(), 0))
    await alone.write(Write([plain()]))
    ways = alone.ways
    await alone.write(guarded(token(), 1))
    assert alone.ways == ways


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
    assert alone.ways == (0, 0)
    conflict, result = await alone.write(Write([taken]), Write([plain()]))
    assert isinstance(conflict, VersionConflict)
    assert list(result.positions) == [4]
    assert await positions(alone) == [1, 2, 3, 4]


async def test_two_that_begin_one_stream_in_one_batch_are_rivals(alone):
    stream = uuid4()
    first, second = await alone.write(Write([plain(stream)]), Write([plain(stream)]))
    assert isinstance(first, WriteResult)
    assert isinstance(second, VersionConflict)


async def test_a_revocation_is_one_statement_too(alone):
    issued, kept = token(), token()
    await alone.write(guarded(issued, 0), guarded(kept, 0))
    results = await alone.write(Write([revocation(issued)]), guarded(token(), 0))
    assert [list(result.positions) for result in results] == [[5], [6]]
    assert alone.ways == (0, 0)
    assert await active(alone, issued) is None
    assert await active(alone, kept) is not None


async def test_a_token_issued_and_revoked_in_one_batch_is_never_active(alone):
    issued = token()
    await alone.write(guarded(issued, 0), Write([revocation(issued)]))
    assert alone.ways == (1, 1)
    assert await active(alone, issued) is None
    assert await positions(alone) == [1, 2, 3, 4]


async def test_of_two_revocations_of_one_token_in_one_batch_the_first_is_recorded(alone):
    issued = token()
    await alone.write(guarded(issued, 0))
    first, second = await alone.write(Write([revocation(issued)]), Write([revocation(issued)]))
    assert isinstance(first, WriteResult)
    assert isinstance(second, VersionConflict)


@pytest.mark.parametrize("version", [0, 1, 3, -1])
async def test_an_event_that_does_not_follow_in_its_stream_is_a_conflict(alone, version):
    issued = token()
    await alone.write(guarded(issued, 0))
    conflict, result = await alone.write(Write([plain(issued.stream_id, version)]), Write([plain()]))
    assert isinstance(conflict, VersionConflict)
    assert isinstance(result, WriteResult)


async def test_while_somebody_holds_the_head_it_waits_in_line_with_all_others(alone, superuser):
    log_id = await alone.log.find_id()
    transaction = superuser.transaction()
    await transaction.start()
    await superuser.execute("SELECT FROM log_head WHERE log_id = $1 FOR UPDATE", log_id)
    writing = asyncio.create_task(alone.write(guarded(token(), 0)))
    await somebody_waits(superuser, unless=writing)
    await transaction.rollback()
    (result,) = await writing
    assert list(result.positions) == [3]
    assert alone.ways == (1, 0)
    await alone.write(guarded(token(), 0))
    assert alone.ways == (1, 0)


async def test_where_it_waited_and_another_came_between_it_waits_in_line_again(alone, processes, superuser):
    log_id = await alone.log.find_id()
    transaction = superuser.transaction()
    await transaction.start()
    await superuser.execute("SELECT FROM log_head WHERE log_id = $1 FOR UPDATE", log_id)
    writing = asyncio.gather(processes().write(Write([plain()])), alone.write(guarded(token(), 0)))
    await somebody_waits(superuser, unless=writing, how_many=2)
    await transaction.rollback()
    (first,), (second,) = await writing
    assert {*first.positions, *second.positions} == {3, 4}
    await alone.write(guarded(token(), 0))
    assert alone.ways == (1 if list(second.positions) == [3] else 2, 0)


async def test_what_comes_while_others_are_waited_for_goes_along(alone, superuser):
    alone.event_log._appender._alone = False
    log_id = await alone.log.find_id()
    group = GroupCommit(alone.event_log)
    transaction = superuser.transaction()
    await transaction.start()
    await superuser.execute("SELECT FROM log_head WHERE log_id = $1 FOR UPDATE", log_id)
    first = asyncio.create_task(group.write(guarded(token(), 0)))
    await somebody_waits(superuser, unless=first)
    second = asyncio.create_task(group.write(guarded(token(), 0)))
    await asyncio.sleep(0)
    await transaction.rollback()
    results = await asyncio.gather(first, second)
    assert [list(result.positions) for result in results] == [[3], [4]]
    assert group.counts.batches[BATCH_BOUNDS.index(2)] == 1


async def test_when_the_log_cannot_be_had_at_all_those_that_wait_are_refused(alone):
    await alone.database.close()
    alone.event_log._appender._alone = False
    alone.database._dsn = "postgresql://nobody@127.0.0.1:1/none"
    group = GroupCommit(alone.event_log)
    refused = await asyncio.gather(*(group.write(guarded(token(), 0)) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in refused] == [Unavailable] * 3


async def test_the_clock_of_the_log_does_not_go_back(alone, superuser):
    await superuser.execute("UPDATE log_head SET recorded_at = now() + interval '1 hour'")
    before = (await alone.event_log.head()).recorded_at
    (result,) = await alone.write(guarded(token(), 0))
    assert alone.ways == (0, 0)
    assert result.recorded_at == before


async def test_rows_of_another_version_are_not_written(alone, superuser):
    await superuser.execute("UPDATE projection_versions SET version = 99 WHERE projection = 'active_tokens'")
    with pytest.raises(OtherVersion):
        await alone.write(guarded(token(), 0))
    assert len(await positions(alone)) == 2


async def test_a_digest_that_is_there_already_is_not_recorded(alone):
    event = token()
    await alone.write(guarded(event, 0))
    digest = event.stream_id.bytes * 2
    jti = uuid4()
    with pytest.raises(asyncpg.UniqueViolationError):
        await alone.write(guarded(stored(jti, 1, token_issued(jti=jti, digest=digest)), 0))
    assert len(await positions(alone)) == 3


@pytest.fixture
async def breakable(database, processes):
    async with BreakingProxy(database.service_dsn).running() as proxy:
        process = processes(proxy.dsn)
        for _ in range(2):
            await process.write(guarded(token(), 0))
        proxy.also_commits = b'{"mark":1}'
        yield process, proxy


class TestWhenTheConnectionBreaks:
    async def test_what_was_recorded_is_acknowledged(self, breakable):
        process, proxy = breakable
        proxy.at_commit = AtCommit.LOSE_ANSWER
        event = plain(payload=b'{"mark":1}')
        (result,) = await process.write(Write([event]))
        assert proxy.broken.is_set()
        assert process.ways == (0, 0)
        (row,) = await process.event_log.read_stream(event.stream_id)
        assert (list(result.positions), result.recorded_at) == ([row.position], row.recorded_at)

    async def test_what_was_not_recorded_is_refused(self, breakable):
        process, proxy = breakable
        proxy.at_commit = AtCommit.LOSE_REQUEST
        with pytest.raises(Unavailable, match="nothing was recorded"):
            await process.write(Write([plain(payload=b'{"mark":1}')]))
        assert process.ways == (0, 0)
        assert len(await positions(process)) == 2

    async def test_it_goes_on_afterwards(self, breakable):
        process, proxy = breakable
        proxy.at_commit = AtCommit.LOSE_ANSWER
        await process.write(Write([plain(payload=b'{"mark":1}')]))
        for _ in range(4):
            await process.write(guarded(token(), 0))
        assert await positions(process) == list(range(1, 8))
