"""The connection breaks during commit: only the log can tell whether the batch was recorded."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from ledger.domain.errors import OutcomeUnknown, Unavailable
from ledger.domain.recording import NewEvent, VersionConflict, Write, WriteResult
from ledger.postgres import outcome
from ledger.postgres.database import Database
from ledger.postgres.event_log import PostgresEventLog
from ledger.postgres.logs import Log
from projections.catalogue import inline_versions
from tests.breaking_proxy import AtCommit, BreakingProxy

LOG = "unknown-outcome"
STREAM = UUID(int=7)
TOPIC = "thing.happened"


@pytest.fixture
async def proxy(database) -> AsyncIterator[BreakingProxy]:
    async with BreakingProxy(database.service_dsn).running() as proxy:
        yield proxy


@pytest.fixture
async def event_log(proxy) -> AsyncIterator[PostgresEventLog]:
    database = Database(proxy.dsn, pool_size=4)
    event_log = PostgresEventLog(Log(database, LOG), inline_versions())
    yield event_log
    await database.close()


def a_write(stream: UUID, version: int = 1, salt: bytes = b"ours" * 4) -> Write:
    return Write(
        [
            NewEvent(
                stream_id=stream,
                stream_version=version,
                topic=TOPIC,
                payload=b"{}",
                salt=salt,
            )
        ]
    )


async def test_batch_is_acknowledged_when_it_was_recorded(event_log, proxy):
    a, b = uuid4(), uuid4()
    proxy.at_commit = AtCommit.LOSE_ANSWER
    results = await event_log.append([a_write(a), a_write(b)])
    assert proxy.broken.is_set()
    assert [list(r.positions) for r in results] == [[1], [2]]
    assert [e.stream_id for e in await event_log.read(0, 10)] == [a, b]


async def test_conflict_stays_a_conflict_when_its_batch_was_recorded(event_log, proxy):
    stream = uuid4()
    await event_log.append([a_write(stream, salt=b"else" * 4)])
    proxy.at_commit = AtCommit.LOSE_ANSWER
    conflict, result = await event_log.append([a_write(stream), a_write(uuid4())])
    assert isinstance(conflict, VersionConflict)
    assert isinstance(result, WriteResult)


async def test_batch_is_refused_when_it_was_not_recorded(event_log, proxy):
    stream = uuid4()
    proxy.at_commit = AtCommit.LOSE_REQUEST
    with pytest.raises(Unavailable, match="nothing was recorded") as caught:
        await event_log.append([a_write(stream)])
    assert not isinstance(caught.value, OutcomeUnknown)
    assert await event_log.read_stream(stream) == []
    assert (await event_log.head()).position == 0


async def test_append_on_its_way_is_not_executed_after_the_look_up(event_log, proxy):
    """The server has not noticed: a look at the log alone would miss what is recorded a moment later."""
    stream = uuid4()
    proxy.at_commit = AtCommit.ARRIVE_LATE
    with pytest.raises(Unavailable, match="nothing was recorded"):
        await event_log.append([a_write(stream)])
    proxy.late.set()
    await proxy.arrived.wait()
    (result,) = await event_log.append([a_write(uuid4())])
    assert list(result.positions) == [1]
    assert await event_log.read_stream(stream) == []


async def test_outcome_is_unknown_when_the_session_does_not_end(event_log, proxy, monkeypatch):
    monkeypatch.setattr(outcome, "ATTEMPTS", 2)
    monkeypatch.setattr(outcome, "PAUSE_SECONDS", 0.01)
    monkeypatch.setitem(outcome.SQL, "end_session", "SELECT false WHERE $1::integer IS NOT NULL")
    proxy.at_commit = AtCommit.LOSE_ANSWER
    with pytest.raises(OutcomeUnknown):
        await event_log.append([a_write(uuid4())])


async def test_batch_is_refused_when_another_process_took_its_place(event_log, database):
    await event_log.append([a_write(STREAM, salt=b"else" * 4)])
    connections = Database(database.service_dsn)
    log_id = await Log(connections, LOG).find_id()
    with pytest.raises(Unavailable, match="nothing was recorded"):
        await outcome.find_outcome(connections, log_id, 0, [a_write(STREAM)])
    await connections.close()


async def test_outcome_is_unknown_when_the_log_is_unreachable(event_log, proxy, monkeypatch):
    monkeypatch.setattr(outcome, "ATTEMPTS", 2)
    monkeypatch.setattr(outcome, "PAUSE_SECONDS", 0.01)
    proxy.at_commit = AtCommit.LOSE_ANSWER
    proxy.refuse_after_break = True
    with pytest.raises(OutcomeUnknown):
        await event_log.append([a_write(uuid4())])
