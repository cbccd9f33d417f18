"""Appending to one log: one call of the function append_events, one round trip, one transaction.

When the wait of a commit for a synchronous standby is cancelled, PostgreSQL reports success and a warning. The commit
is local, and a failover may lose it: `watch_commit` notices.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID

import asyncpg

from ledger.domain.errors import Unavailable
from ledger.domain.recording import VersionConflict, Write, WriteResult
from ledger.postgres.database import Connection

WAIT_CANCELLED = "01000"
"""The SQLSTATE of that warning."""

StreamNumbers = dict[UUID, int]
"""The streams of a batch, numbered from 1 in the order they are first named."""


class OtherProjectionVersion(Unavailable):
    """The inline projections of the database are not of the versions that this release writes."""

    def __init__(self) -> None:
        super().__init__(
            "The inline projections of this database are of other versions than this release writes; nothing was "
            "recorded. 'token-ledger doctor' says which."
        )


class AppendBatch:
    """Writes as the arguments of append_events, and what its row says of each."""

    def __init__(self, writes: Sequence[Write]) -> None:
        self._writes = writes
        numbers: StreamNumbers = {}
        write_guards, write_events = [], []
        guard_streams, guard_versions = [], []
        event_streams, event_versions = [], []
        topics, schema_versions, payloads = [], [], []
        actors, request_ids, addresses, salts = [], [], [], []
        for write in writes:
            write_guards.append(len(write.guards))
            write_events.append(len(write.events))
            for guard in write.guards:
                guard_streams.append(numbers.setdefault(guard.stream_id, len(numbers) + 1))
                guard_versions.append(guard.version)
            for event in write.events:
                event_streams.append(numbers.setdefault(event.stream_id, len(numbers) + 1))
                event_versions.append(event.stream_version)
                topics.append(event.topic)
                schema_versions.append(event.schema_version)
                payloads.append(event.payload)
                actors.append(event.actor)
                request_ids.append(event.request_id)
                addresses.append(event.remote_address)
                salts.append(event.salt)
        self._streams = list(numbers)
        self.arguments: Sequence[list[Any]] = (
            self._streams,
            write_guards,
            write_events,
            guard_streams,
            guard_versions,
            event_streams,
            event_versions,
            topics,
            schema_versions,
            payloads,
            actors,
            request_ids,
            addresses,
            salts,
        )

    def results(self, row: asyncpg.Record) -> Sequence[WriteResult | VersionConflict]:
        """What became of each write. Raises OtherProjectionVersion."""
        position: int | None = row["before"]
        if position is None:
            raise OtherProjectionVersion
        recorded_at = row["recorded_at"]
        conflicts = dict(
            zip(row["conflict_write"], zip(row["conflict_stream"], row["conflict_version"], strict=True), strict=True)
        )
        results: list[WriteResult | VersionConflict] = []
        for number, write in enumerate(self._writes, 1):
            if number in conflicts:
                stream, version = conflicts[number]
                results.append(VersionConflict(self._streams[stream - 1], version=version))
                continue
            first, position = position + 1, position + len(write.events)
            results.append(WriteResult(range(first, position + 1), recorded_at))
        return results


class CommitWatch:
    """What the server said while a statement ran."""

    def __init__(self) -> None:
        self.confirmed = True

    def on_log_message(self, _connection: object, message: asyncpg.PostgresLogMessage) -> None:
        """Take a notice or warning of the server."""
        if message.sqlstate == WAIT_CANCELLED:
            self.confirmed = False


@contextmanager
def watch_commit(connection: Connection) -> Iterator[CommitWatch]:
    """Watch the statements inside. Look at `confirmed` after the result of each."""
    watch = CommitWatch()
    connection.add_log_listener(watch.on_log_message)
    try:
        yield watch
    finally:
        with suppress(asyncpg.InterfaceError):  # the connection broke, and its listeners with it
            connection.remove_log_listener(watch.on_log_message)
