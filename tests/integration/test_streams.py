"""Streams that are asked for together are read together, each whole and in its order."""

import asyncio
from uuid import uuid4

import pytest

from ledger.domain.recording import NewEvent
from ledger.postgres.database import Database
from ledger.postgres.event_log import PostgresEventLog
from ledger.postgres.logs import Log
from ledger.postgres.streams import PostgresStreams
from tests.appending import append_events


@pytest.fixture
async def log(database):
    connections = Database(database.service_dsn)
    yield Log(connections, "streams")
    await connections.close()


def events(stream, versions) -> list[NewEvent]:
    return [
        NewEvent(stream_id=stream, stream_version=version, topic="thing.happened", payload=b"%d" % version)
        for version in versions
    ]


async def test_concurrent_reads_share_one_query(log, monkeypatch):
    queries = []
    find = PostgresStreams._find

    async def counted(self, keys):
        queries.append(keys)
        return await find(self, keys)

    monkeypatch.setattr(PostgresStreams, "_find", counted)
    event_log, streams = PostgresEventLog(log), PostgresStreams(log)
    a, b, unknown = uuid4(), uuid4(), uuid4()
    for first, last in ((1, 2), (3, 12)):
        for stream in (a, b):
            await append_events(event_log, events(stream, range(first, last + 1)))
    found = await asyncio.gather(*map(streams.read_stream, (a, b, unknown)))
    assert len(queries) == 1
    assert [[event.stream_version for event in stream] for stream in found[:2]] == [list(range(1, 13))] * 2
    assert [found[0], found[1]] == [await event_log.read_stream(a), await event_log.read_stream(b)]
    assert list(found[2]) == []
