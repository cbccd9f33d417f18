"""Streams that are asked for together are read together, each whole and in its order."""

import asyncio
from uuid import uuid4

import pytest

from ledger.domain.recording import EventToStore
from ledger.postgres.database import Database
from ledger.postgres.logs import Log
from ledger.postgres.recorder import PostgresRecorder
from ledger.postgres.streams import PostgresStreams


@pytest.fixture
async def log(database):
    connections = Database(database.service_dsn)
    yield Log(connections, "streams")
    await connections.close()


def events(stream, versions) -> list[EventToStore]:
    return [EventToStore(stream, version, "thing.happened", b"%d" % version) for version in versions]


async def test_streams_asked_for_together_are_read_together(log):
    recorder, streams = PostgresRecorder(log), PostgresStreams(log)
    a, b, unknown = uuid4(), uuid4(), uuid4()
    for first, last in ((1, 2), (3, 12)):
        for stream in (a, b):
            await recorder.insert_events(events(stream, range(first, last + 1)))
    asked = []
    find = streams._find
    streams._reads._load = lambda keys: (asked.append(keys), find(keys))[1]
    found = await asyncio.gather(*map(streams.select_events, (a, b, unknown)))
    assert len(asked) == 1
    assert [[event.originator_version for event in stream] for stream in found[:2]] == [list(range(1, 13))] * 2
    assert [found[0], found[1]] == [await recorder.select_events(a), await recorder.select_events(b)]
    assert list(found[2]) == []
