"""An event log for the tools of the `eventsourcing` library: the one module that imports it.

The library's recorders block and are synchronous, so the service does not use them. With this adapter its applications,
projections and conformance suites run on a ledger. Call it from a thread other than that of the log's event loop.
"""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from threading import Event as Flag
from typing import Any, TypeVar
from uuid import UUID

from eventsourcing.persistence import ApplicationRecorder, IntegrityError, Notification, StoredEvent, Subscription

from ledger.domain.recording import EventLog, NewEvent, RecordedEvent, VersionConflict, Write

PAGE_SIZE = 500
POLL_SECONDS = 0.2

T = TypeVar("T")


class EventLogRecorder(ApplicationRecorder):
    """The library's recorder over an event log. Each call runs on the log's event loop and blocks until it is done.

    Streams are named by UUIDs and numbered from 1; events that are inserted here get schema version 1 and no actor.
    """

    def __init__(self, event_log: EventLog, loop: asyncio.AbstractEventLoop) -> None:
        """`loop` runs in another thread."""
        self._event_log = event_log
        self._loop = loop

    def insert_events(self, stored_events: Sequence[StoredEvent], **_kwargs: Any) -> Sequence[int] | None:
        """Append one write; return its positions. Raises the library's IntegrityError for a version conflict."""
        if not stored_events:
            return []
        (result,) = self._wait_for(self._event_log.append([Write([_new_event(event) for event in stored_events])]))
        if isinstance(result, VersionConflict):
            raise IntegrityError(str(result)) from result
        return list(result.positions)

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """The events of a stream, bounded by version."""
        events = [
            event
            for event in self._wait_for(self._event_log.read_stream(_stream_id(originator_id)))
            if (gt is None or event.stream_version > gt) and (lte is None or event.stream_version <= lte)
        ]
        return [_notification(event) for event in (reversed(events) if desc else events)][:limit]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """A page of the log from `start` to `stop`, of these topics (all when empty)."""
        after = 0 if start is None else start - 1 if inclusive_of_start else start
        found: list[Notification] = []
        for event in self._events_after(after):
            if len(found) == limit or (stop is not None and event.position > stop):
                break
            if not topics or event.topic in topics:
                found.append(_notification(event))
        return found

    def max_notification_id(self) -> int | None:
        """The newest position, or None when the log is empty."""
        return self._wait_for(self._event_log.head()).position or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> "EventLogSubscription":
        """Every event after `gt`, and those to come, until the subscription is stopped."""
        return EventLogSubscription(self, gt, topics)

    def _events_after(self, position: int) -> Iterator[RecordedEvent]:
        while page := self._wait_for(self._event_log.read(position, PAGE_SIZE)):
            yield from page
            position = page[-1].position

    def _wait_for(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


class EventLogSubscription(Subscription[EventLogRecorder]):
    """Polls the log. Positions are dense and in commit order, so none is skipped."""

    def __init__(self, recorder: EventLogRecorder, gt: int | None, topics: Sequence[str]) -> None:
        super().__init__(recorder, gt, topics)
        self._page: list[Notification] = []
        self._stopped = Flag()

    def stop(self) -> None:
        """End the iteration, also one that waits in another thread."""
        super().stop()
        self._stopped.set()

    def __next__(self) -> Notification:
        while not self._page:
            if self._stopped.is_set():
                raise StopIteration
            page = self._recorder.select_notifications(
                self._last_notification_id, PAGE_SIZE, topics=self._topics, inclusive_of_start=False
            )
            self._page = list(reversed(page))
            if not self._page:
                self._stopped.wait(POLL_SECONDS)
        notification = self._page.pop()
        self._last_notification_id = notification.id
        return notification


def _stream_id(originator_id: UUID | str) -> UUID:
    return originator_id if isinstance(originator_id, UUID) else UUID(originator_id)


def _new_event(event: StoredEvent) -> NewEvent:
    return NewEvent(
        stream_id=_stream_id(event.originator_id),
        stream_version=event.originator_version,
        topic=event.topic,
        payload=event.state,
    )


def _notification(event: RecordedEvent) -> Notification:
    return Notification(
        originator_id=event.stream_id,
        originator_version=event.stream_version,
        topic=event.topic,
        state=event.payload,
        id=event.position,
    )
