"""The connection breaks during commit: nobody knows whether the batch was recorded, until the log is asked."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID, uuid4

import asyncpg
import pytest

from ledger.domain.errors import OutcomeUnknown, Unavailable
from ledger.domain.recording import NewEvent, VersionConflict, Write, WriteResult
from ledger.postgres import outcome
from ledger.postgres.database import Database
from ledger.postgres.event_log import PostgresEventLog
from ledger.postgres.logs import Log
from tests.breaking_proxy import AtCommit, BreakingProxy

LOG = "unknown-outcome"
STREAM = UUID(int=7)
TOPIC = "thing.happened"


@pytest.fixture
async def proxy(database) -> AsyncIterator[BreakingProxy]:
    async with BreakingProxy(database.service_dsn).running() as proxy:
        yield proxy


@pytest.fixture(params=["at once", "in turn", "each"])
async def event_log(request, proxy) -> AsyncIterator[PostgresEventLog]:
    """One that appends in this way."""
    database = Database(proxy.dsn, pool_size=4)
    event_log = PostgresEventLog(Log(database, LOG))
    await event_log.head()
    event_log._appender._alone = request.param == "at once"
    if request.param == "at once":
        proxy.also_commits = TOPIC.encode()
    if request.param == "each":
        event_log._appender._take = partial(_take_for_each, event_log._appender)
    yield event_log
    await database.close()


def _take_for_each(appender, attempt) -> None:
    """What is asked for when one of the writes is in conflict."""
    attempt.writes = attempt.writes or attempt.take()


def a_write(stream: UUID, version: int = 1, request_id: str = "ours", payload: bytes = b"{}") -> Write:
    return Write(
        [
            NewEvent(
                stream_id=stream,
                stream_version=version,
                topic=TOPIC,
                payload=payload,
                request_id=request_id,
            )
        ]
    )


async def test_a_batch_that_was_recorded_is_acknowledged(event_log, proxy):
    a, b = uuid4(), uuid4()
    proxy.at_commit = AtCommit.LOSE_ANSWER
    results = await event_log.append([a_write(a), a_write(b)])
    assert proxy.broken.is_set()
    assert [list(r.positions) for r in results] == [[1], [2]]
    assert [e.stream_id for e in await event_log.read(0, 10)] == [a, b]


async def test_a_conflict_in_a_batch_that_was_recorded_stays_a_conflict(event_log, proxy):
    stream = uuid4()
    await event_log.append([a_write(stream)])
    proxy.also_commits = None
    proxy.at_commit = AtCommit.LOSE_ANSWER
    conflict, result = await event_log.append([a_write(stream), a_write(uuid4())])
    assert isinstance(conflict, VersionConflict)
    assert isinstance(result, WriteResult)


async def test_a_batch_that_was_not_recorded_is_refused(event_log, proxy):
    stream = uuid4()
    proxy.at_commit = AtCommit.LOSE_REQUEST
    with pytest.raises(Unavailable, match="nothing was recorded") as caught:
        await event_log.append([a_write(stream)])
    assert not isinstance(caught.value, OutcomeUnknown)
    assert await event_log.read_stream(stream) == []
    assert (await event_log.head()).position == 0


async def test_a_commit_still_on_its_way_is_never_done(event_log, proxy):
    """The server has not noticed: whoever only looks would say 'absent', and then it would be there."""
    stream = uuid4()
    proxy.at_commit = AtCommit.ARRIVE_LATE
    with pytest.raises(Unavailable, match="nothing was recorded"):
        await event_log.append([a_write(stream)])
    proxy.late.set()
    await proxy.arrived.wait()
    (result,) = await event_log.append([a_write(uuid4())])
    assert list(result.positions) == [1]
    assert await event_log.read_stream(stream) == []


@pytest.mark.parametrize("event_log", ["in turn", "each"], indirect=True)
async def test_a_commit_still_on_its_way_is_waited_for_where_its_session_cannot_be_ended(
    event_log, proxy, database, monkeypatch
):
    """Behind a pooler, say: then whoever holds the head lock is waited for."""
    monkeypatch.setitem(outcome.SQL, "end_session", "SELECT true WHERE $1::integer IS NULL")
    stream = uuid4()
    proxy.at_commit = AtCommit.ARRIVE_LATE
    writing = asyncio.create_task(event_log.append([a_write(stream)]))
    await proxy.broken.wait()
    await _somebody_waits_for_a_lock(database.superuser_dsn, writing)
    proxy.late.set()
    (result,) = await writing
    assert list(result.positions) == [1]
    assert len(await event_log.read_stream(stream)) == 1


async def test_a_session_that_does_not_end_leaves_the_outcome_unknown(event_log, proxy, monkeypatch):
    monkeypatch.setattr(outcome, "ATTEMPTS", 2)
    monkeypatch.setattr(outcome, "PAUSE_SECONDS", 0.01)
    monkeypatch.setitem(outcome.SQL, "end_session", "SELECT false WHERE $1::integer IS NOT NULL")
    proxy.at_commit = AtCommit.LOSE_ANSWER
    with pytest.raises(OutcomeUnknown):
        await event_log.append([a_write(uuid4())])


@pytest.mark.parametrize("theirs", [a_write(STREAM, request_id="theirs"), a_write(STREAM, payload=b'{"else":1}')])
async def test_a_place_taken_by_another_process_is_not_ours(event_log, database, theirs):
    await event_log.append([theirs])
    connections = Database(database.service_dsn)
    log_id = await Log(connections, LOG).find_id()
    with pytest.raises(Unavailable, match="nothing was recorded"):
        await outcome.find_outcome(connections, log_id, 0, [], [a_write(STREAM)])
    await connections.close()


async def test_when_the_log_cannot_be_asked_the_outcome_stays_unknown(event_log, proxy, monkeypatch):
    monkeypatch.setattr(outcome, "ATTEMPTS", 2)
    monkeypatch.setattr(outcome, "PAUSE_SECONDS", 0.01)
    proxy.at_commit = AtCommit.LOSE_ANSWER
    proxy.refuse_after_break = True
    with pytest.raises(OutcomeUnknown):
        await event_log.append([a_write(uuid4())])


async def _somebody_waits_for_a_lock(dsn: str, unless: asyncio.Task[object]) -> None:
    connection = await asyncpg.connect(dsn)
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while not await connection.fetchval(waiting):
        assert not unless.done(), "the log was asked without waiting for the transaction in doubt"
    await connection.close()
