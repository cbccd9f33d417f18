"""The `eventsourcing` library's own recorder suites, run against the PostgreSQL store through a synchronous facade."""

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from typing import Any
from unittest import TestCase
from uuid import uuid4

import pytest
from eventsourcing.persistence import ApplicationRecorder, Notification, StoredEvent
from eventsourcing.tests.persistence import ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase

from ledger.postgres.database import Database
from ledger.postgres.logs import Log
from ledger.postgres.recorder import PostgresRecorder


class BlockingRecorder(ApplicationRecorder):
    """The store's coroutines as blocking methods: each call runs on a loop in a thread of its own.

    The suites number some of their streams from 0 and some from 1; ours start at 1. So a stream keeps the number it
    began with, and is shifted on the way in.
    """

    def __init__(self, dsn: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._first: dict[Any, int] = {}
        self._recorder, self._database = self._run(self._connect(dsn))

    async def _connect(self, dsn: str) -> tuple[PostgresRecorder, Database]:
        database = Database(dsn, pool_size=16)
        return PostgresRecorder(Log(database, f"conformance-{uuid4()}")), database

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    def close(self) -> None:
        self._run(self._database.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def insert_events(self, stored_events: Sequence[StoredEvent], **_kwargs: Any) -> Sequence[int] | None:
        for event in stored_events:
            self._first.setdefault(event.originator_id, event.originator_version)
        shifted = [
            StoredEvent(e.originator_id, e.originator_version + 1 - self._first[e.originator_id], e.topic, e.state)
            for e in stored_events
        ]
        return self._run(self._recorder.insert_events(shifted))

    def select_events(self, originator_id: Any, **bounds: Any) -> Sequence[StoredEvent]:
        return self._run(self._recorder.select_events(originator_id, **bounds))

    def select_notifications(self, *args: Any, **kwargs: Any) -> Sequence[Notification]:
        return self._run(self._recorder.select_notifications(*args, **kwargs))

    def max_notification_id(self) -> int | None:
        return self._run(self._recorder.max_notification_id())

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Any:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def blocking_recorder(request, database):
    recorder = BlockingRecorder(database.service_dsn)
    request.instance.recorder = recorder
    yield
    recorder.close()


class TestApplicationRecorder(ApplicationRecorderTestCase, TestCase):
    recorder: BlockingRecorder

    def create_recorder(self) -> ApplicationRecorder:
        return self.recorder


class TestNonInterleavingNotificationIDs(NonInterleavingNotificationIDsBaseCase, TestCase):
    recorder: BlockingRecorder

    def create_recorder(self) -> ApplicationRecorder:
        return self.recorder
