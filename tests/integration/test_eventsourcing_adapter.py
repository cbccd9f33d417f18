"""The `eventsourcing` library on a ledger: its own recorder suites, and a subscription that follows the log."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from unittest import TestCase
from uuid import uuid4

import pytest
from eventsourcing.persistence import ApplicationRecorder, StoredEvent
from eventsourcing.tests.persistence import ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase

from ledger.eventsourcing_adapter import EventLogRecorder
from ledger.postgres.database import Database
from ledger.postgres.event_log import PostgresEventLog
from ledger.postgres.logs import Log
from projections.catalogue import inline_versions


class ShiftingRecorder(EventLogRecorder):
    """The suites number some of their streams from 0; a stream keeps the first number it was given, and starts at 1."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._first: dict[Any, int] = {}

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        for event in stored_events:
            self._first.setdefault(event.originator_id, event.originator_version)
        return super().insert_events(
            [
                replace(e, originator_version=e.originator_version + 1 - self._first[e.originator_id])
                for e in stored_events
            ],
            **kwargs,
        )


@pytest.fixture
def recorder(database):
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def connect() -> tuple[Database, ShiftingRecorder]:
        connections = Database(database.service_dsn, pool_size=16)
        return connections, ShiftingRecorder(PostgresEventLog(Log(connections, "conformance"), inline_versions()), loop)

    connections, recorder = asyncio.run_coroutine_threadsafe(connect(), loop).result(60)
    yield recorder
    asyncio.run_coroutine_threadsafe(connections.close(), loop).result(60)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def _of_the_suite(request, recorder):
    request.instance.recorder = recorder


@pytest.mark.usefixtures("_of_the_suite")
class TestApplicationRecorder(ApplicationRecorderTestCase, TestCase):
    recorder: ShiftingRecorder

    def create_recorder(self) -> ApplicationRecorder:
        return self.recorder


@pytest.mark.usefixtures("_of_the_suite")
class TestNonInterleavingNotificationIDs(NonInterleavingNotificationIDsBaseCase, TestCase):
    recorder: ShiftingRecorder

    def create_recorder(self) -> ApplicationRecorder:
        return self.recorder


class TestSubscription:
    def test_yields_earlier_and_later_events_until_it_is_stopped(self, recorder):
        stream = uuid4()
        for version in (1, 2):
            recorder.insert_events([StoredEvent(stream, version, f"topic.{version}", b"{}")])
        with recorder.subscribe(gt=1) as subscription:
            assert next(subscription).originator_version == 2
            later = threading.Timer(0.1, recorder.insert_events, [[StoredEvent(stream, 3, "topic.3", b"{}")]])
            later.start()
            assert next(subscription).topic == "topic.3"
            later.join()
            subscription.stop()
            assert list(subscription) == []

    def test_yields_only_its_topics(self, recorder):
        stream = uuid4()
        for version in (1, 2, 3):
            recorder.insert_events([StoredEvent(stream, version, f"topic.{version % 2}", b"{}")])
        with recorder.subscribe(topics=["topic.1"]) as subscription:
            assert [next(subscription).id, next(subscription).id] == [1, 3]
