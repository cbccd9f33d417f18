"""A follower sees every position in order while several processes append."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from ledger.domain.recording import RecordedEvent
from ledger.postgres.database import Database
from ledger.postgres.event_log import PostgresEventLog
from ledger.postgres.logs import Log
from projections.catalogue import inline_versions
from tests.appending import append_events
from tests.databases import fetch_value, run_sql
from tests.integration.log_writer import a_write

ROOT = Path(__file__).parents[2]
PROCESSES = 3
WRITES = 240
EVENTS = PROCESSES * WRITES * 2


@pytest.fixture
async def event_log(database) -> AsyncIterator[PostgresEventLog]:
    connections = Database(database.service_dsn, pool_size=4)
    event_log = PostgresEventLog(Log(connections, "busy"), inline_versions())
    await event_log.head()
    yield event_log
    await connections.close()


async def follow(event_log: PostgresEventLog, writers: asyncio.Task[None]) -> Sequence[RecordedEvent]:
    """The events seen by a follower that always reads after the last position it has seen."""
    seen: list[RecordedEvent] = []
    finished = False
    while True:
        after = seen[-1].position if seen else 0
        page = await event_log.read(after, 100)
        seen.extend(page)
        if finished and not page:
            return seen
        finished = writers.done()


async def write_from_processes(dsn: str, how: str) -> None:
    command = (sys.executable, "-m", "tests.integration.log_writer", dsn, "busy", str(WRITES), how)
    processes = [await asyncio.create_subprocess_exec(*command, cwd=ROOT) for _ in range(PROCESSES)]
    assert [await process.wait() for process in processes] == [0] * PROCESSES


async def test_follower_sees_every_position_when_processes_append(event_log, database):
    writers = asyncio.create_task(write_from_processes(database.service_dsn, "head-lock"))
    seen = await follow(event_log, writers)
    await writers
    assert [event.position for event in seen] == list(range(1, EVENTS + 1))
    instants = [event.recorded_at for event in seen]
    assert instants == sorted(instants)
    assert (await event_log.head()).position == EVENTS


async def test_follower_misses_events_when_a_sequence_numbers_them(event_log, database):
    """Proves that the test above can fail: numbers drawn before commit become visible out of order."""
    await run_sql(database.owner_dsn, "CREATE SEQUENCE naive_positions")
    writers = asyncio.create_task(write_from_processes(database.owner_dsn, "naive"))
    seen = await follow(event_log, writers)
    await writers
    everything = await event_log.read(0, 2 * EVENTS)
    assert len(everything) == EVENTS
    assert len(seen) < EVENTS, "a naive log should have lost events for its follower"


async def test_recorded_at_never_goes_back_when_the_clock_does(event_log, database):
    await append_events(event_log, a_write().events)
    set_ahead = "UPDATE log_head SET recorded_at = now() + interval '1 hour' RETURNING recorded_at"
    ahead = await fetch_value(database.owner_dsn, set_ahead)
    await append_events(event_log, a_write().events)
    await append_events(event_log, a_write().events)
    assert {event.recorded_at for event in await event_log.read(2, 10)} == {ahead}
    assert (await event_log.head()).recorded_at == ahead
