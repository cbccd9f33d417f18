"""Apply events to one projection in batches.

A batch is one transaction: lock the checkpoint, read the events after it, apply them, advance the checkpoint.
"""

import time

import asyncpg
import structlog
from msgspec import Struct

from ledger.postgres.database import CONNECTION_ERRORS, Connection, Database
from ledger.postgres.event_log import LAST_POSITION
from ledger.postgres.statements import load_statements
from projections.following.lease import APPLYING, Lease, advance_checkpoint, lock_checkpoint
from projections.following.skips import skipped_positions
from projections.projection import LogRow, Projection

SQL = load_statements("ledger.postgres", "event_log.sql")

BATCH_SIZE = 1000

RENEW_SECONDS = 1.0
"""How often the lease is renewed when there are no events."""

TRANSACTION = f"""
    -- Rows and checkpoint are lost together in a crash, and applied again.
    SET LOCAL synchronous_commit = off;
    -- A process that is paused in a transaction must not block the next holder.
    SET LOCAL idle_in_transaction_session_timeout = '2s';
    SET LOCAL application_name = '{APPLYING}';
"""


class Batch(Struct, frozen=True):
    """The checkpoint after a batch, and whether that is the end of the log."""

    position: int
    at_end: bool


class FollowerCounts(Struct):
    """Counters of one follower since its process started."""

    projection: str
    log: str
    following: bool = False
    events: int = 0
    batches: int = 0


class EventNotApplied(Exception):
    """The projection cannot apply the event of `row`."""

    def __init__(self, row: LogRow, cause: Exception) -> None:
        # Only the server's primary message: its details quote the row, and so perhaps the digest of a token.
        message = cause.args[0] if isinstance(cause, asyncpg.PostgresError) and cause.args else cause
        super().__init__(f"{type(cause).__name__}: {message}")
        self.row = row
        self.error_type = type(cause).__name__


class BatchApplier:
    """Applies events to a projection, under a lease that the caller holds."""

    def __init__(self, database: Database, projection: Projection, counts: FollowerCounts) -> None:
        self._database = database
        self._projection = projection
        self._renewed_at = 0.0
        self._logger = structlog.get_logger().bind(projection=counts.projection, log=counts.log)
        self.counts = counts

    async def apply_up_to_failure(self, lease: Lease) -> Batch:
        """Apply a batch; if it fails, apply its events one by one up to the one that fails.

        Raises EventNotApplied, LeaseLost, Unavailable.
        """
        try:
            return await self.apply_batch(lease)
        except EventNotApplied:
            for _ in range(BATCH_SIZE):
                batch = await self.apply_batch(lease, size=1)
                if batch.at_end:
                    break
            return batch

    async def apply_batch(self, lease: Lease, size: int | None = None) -> Batch:
        """Apply the next events. Raises EventNotApplied, LeaseLost, Unavailable."""
        limit = size or BATCH_SIZE
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute(TRANSACTION)
            position = await lock_checkpoint(connection, lease)
            rows = await connection.fetch(SQL["read_log"], lease.log_id, position, LAST_POSITION, limit)
            if rows:
                position = rows[-1]["position"]
                await self._apply(connection, lease, [_log_row(row) for row in rows])
            if rows or time.monotonic() - self._renewed_at > RENEW_SECONDS:
                await advance_checkpoint(connection, lease, position)
                self._renewed_at = time.monotonic()
        if rows:
            self.counts.events += len(rows)
            self.counts.batches += 1
        return Batch(position, at_end=len(rows) < limit)

    async def _apply(self, connection: Connection, lease: Lease, rows: list[LogRow]) -> None:
        events = [row for row in rows if row.topic in self._projection.topics]
        if not events:
            return
        bounds = {"after": rows[0].position - 1, "until": rows[-1].position}
        if skipped := await skipped_positions(connection, lease.log_id, lease.projection, **bounds):
            events = [row for row in events if row.position not in skipped]
            self._logger.warning("events skipped", positions=sorted(skipped))
        try:
            if events:
                await self._projection.apply(connection, lease.log_id, events)
        except Exception as error:
            if isinstance(error, CONNECTION_ERRORS) and not isinstance(error, ValueError):
                raise
            raise EventNotApplied(events[0], error) from error


def _log_row(record: asyncpg.Record) -> LogRow:
    position, recorded_at, _stream_id, *rest = record
    return LogRow(position, recorded_at, *rest)
