"""A commit that a synchronous standby did not confirm is not acknowledged: a failover could lose it."""

import asyncio
import tempfile
from pathlib import Path
from uuid import uuid4

import pytest

from api.embedded_postgres import EmbeddedPostgres
from ledger.domain.errors import OutcomeUnknown
from ledger.domain.recording import NewEvent, Write
from ledger.postgres import outcome
from ledger.postgres.database import Database
from ledger.postgres.event_log import PostgresEventLog
from ledger.postgres.logs import Log
from migrations.runner import upgrade
from projections.catalogue import inline_versions
from tests.databases import connect

CANCEL = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
STANDBYS = "ALTER SYSTEM SET synchronous_standby_names = '{}'"


@pytest.fixture
async def server():
    """A durable server: the one of the other tests sends no WAL to standbys."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder)) as postgres:
        await upgrade(postgres.owner_dsn)
        yield postgres


@pytest.fixture
async def superuser(server):
    async with connect(server.superuser_dsn) as connection:
        yield connection


@pytest.fixture
async def event_log(server, superuser):
    """A log whose commits wait for a standby that does not exist."""
    connections = Database(server.service_dsn)
    log = Log(connections, "confirmed")
    await log.ensure_id()
    await superuser.execute(STANDBYS.format("missing"))
    await superuser.execute("SELECT pg_reload_conf()")
    yield PostgresEventLog(log, inline_versions())
    await connections.close()


def a_write() -> Write:
    return Write([NewEvent(stream_id=uuid4(), stream_version=1, topic="t", payload=b"{}", salt=uuid4().bytes)])


async def cancel_wait(superuser, unless: asyncio.Task[object]) -> None:
    async with asyncio.timeout(60):
        while not await superuser.fetchval(CANCEL):
            assert not unless.done(), unless
            await asyncio.sleep(0.01)


async def test_append_is_acknowledged_when_a_later_commit_is_confirmed(event_log, superuser):
    append = asyncio.create_task(event_log.append([a_write()]))
    await cancel_wait(superuser, append)
    await superuser.execute(STANDBYS.format(""))
    await superuser.execute("SELECT pg_reload_conf()")
    (result,) = await append
    assert list(result.positions) == [1]


async def test_outcome_is_unknown_when_no_later_commit_is_confirmed(event_log, superuser, monkeypatch):
    monkeypatch.setattr(outcome, "ATTEMPTS", 1)
    append = asyncio.create_task(event_log.append([a_write()]))
    await cancel_wait(superuser, append)
    await cancel_wait(superuser, append)
    with pytest.raises(OutcomeUnknown):
        await append
    assert (await event_log.head()).position == 1
