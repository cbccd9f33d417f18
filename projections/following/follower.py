"""Following the log: one projection of one log, applied batch by batch by whoever holds the lease.

A batch is one transaction: hold the checkpoint's row, read what comes after it, apply, advance. A notification wakes
it; it looks by itself as well. An event that cannot be applied stops the projection there: the reason is beside the
checkpoint, and it is tried again until it can be, or until an operator has it skipped.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

import asyncpg
import structlog
from msgspec import Struct

from ledger.domain.errors import Unavailable
from ledger.postgres.archive.catalogue import REMOVABLE_TOPICS, read_archived_until
from ledger.postgres.database import CONNECTION_ERRORS, Connection
from ledger.postgres.event_log import LAST_POSITION
from ledger.postgres.logs import NO_LOG, Log
from ledger.postgres.notifications import LogNotifications
from ledger.postgres.statements import load_statements
from projections.following import lease as checkpoint
from projections.following.lease import APPLYING, Lease, LeaseLost, VersionMismatch
from projections.following.skips import skipped_positions
from projections.projection import LogRow, Projection

SQL = load_statements("ledger.postgres", "event_log.sql")

BATCH = 1000
GATHER_SECONDS = 0.03
"""After a batch that reached the end of the log, how long the next one gathers: many small ones would cost more."""

LOOK_SECONDS = 1.0
"""How often it looks for itself while notifications are heard, and renews the lease."""

DEAF_LOOK_SECONDS = 0.05
"""The same while they are not."""

RETRY_SECONDS = 0.5
"""After the database was away, the lease was somebody else's, or an event could not be applied."""

MIGRATE = "this release needs a newer schema, run 'token-ledger migrate'"

TRANSACTION = f"""
    -- What a crash takes along is applied again: rows and checkpoint are one. So nobody waits for the disk.
    SET LOCAL synchronous_commit = off;
    -- A process that is paused in the middle must not keep the next holder waiting.
    SET LOCAL idle_in_transaction_session_timeout = '2s';
    SET LOCAL application_name = '{APPLYING}';
"""


class Step(Struct, frozen=True):
    """What a batch came to: where the checkpoint is, and whether that is the end of the log for now."""

    position: int
    at_end: bool


class FollowerCounts(Struct):
    """What a follower has done since its process started."""

    projection: str
    log: str
    following: bool = False
    events: int = 0
    batches: int = 0


class ArchivedPastCheckpoint(Unavailable):
    """The log is archived beyond where the projection has read it: it cannot follow, only be built anew."""

    def __init__(self, projection: str, position: int, until: int) -> None:
        super().__init__(
            f"{projection} has read up to position {position}, and up to {until} the log is archived: build it with "
            f"'token-ledger projections rebuild {projection} --archives FOLDER'"
        )


class EventNotApplied(Exception):
    """An event that cannot be applied."""

    def __init__(self, row: LogRow, cause: Exception) -> None:
        # What the server adds to its message quotes the row, and with it perhaps the digest of a token.
        message = cause.args[0] if isinstance(cause, asyncpg.PostgresError) and cause.args else cause
        super().__init__(f"{type(cause).__name__}: {message}")
        self.row = row


class Follower:
    """Keeps one catch-up projection of one log up to date."""

    def __init__(self, log: Log, projection: Projection, notifications: LogNotifications, *, holder: str) -> None:
        """`holder` names this process to operators."""
        self._log = log
        self._database = log.database
        self._projection = projection
        self._notifications = notifications
        self._holder = holder
        self._lease: Lease | None = None
        self._renewed = 0.0
        self._told = ""
        self.counts = FollowerCounts(projection.name, log.name)
        self._logger = structlog.get_logger().bind(projection=projection.name, log=log.name)

    async def run(self) -> None:
        """Follow until cancelled, whatever happens to the database; then let go of the lease."""
        try:
            while True:
                try:
                    await self._follow()
                except LeaseLost:
                    self._lease = None
                    self._logger.info("another process follows")
                except ArchivedPastCheckpoint as error:
                    self._say(self._logger.warning, "projection not followed", reason=str(error))
                    with suppress(Unavailable):
                        await self._let_go()
                except Unavailable:
                    pass
                except VersionMismatch as error:
                    self._say(self._logger.warning, "projection not followed", reason=str(error))
                except asyncpg.UndefinedTableError as error:
                    self._say(self._logger.warning, "projection not followed", reason=f"{error}: {MIGRATE}")
                except EventNotApplied as poison:
                    await self._stop_at(poison)
                except Exception:
                    # It must go on for as long as the process does.
                    self._logger.exception("projection interrupted")
                self.counts.following = False
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    # It came while a connection broke, and the error that made took its place.
                    raise asyncio.CancelledError
                await asyncio.sleep(RETRY_SECONDS)
        finally:
            self.counts.following = False
            with suppress(Unavailable):
                await self._let_go()

    async def catch_up(self) -> bool:
        """Apply all there is and let go; False when another process follows. Raises Poison, Unavailable."""
        try:
            if not await self._take():
                return False
            while not (await self._step(BATCH)).at_end:
                pass
        except LeaseLost:
            self._lease = None
            return False
        finally:
            await self._let_go()
        return True

    async def _follow(self) -> None:
        if not await self._take():
            return
        while True:
            step = await self._apply_up_to_failure()
            if not self.counts.following:
                self.counts.following, self._told = True, ""
                self._logger.info("following", position=step.position)
            if not step.at_end:
                continue
            await asyncio.sleep(GATHER_SECONDS)
            await self._wait_for_events(step.position)

    async def _wait_for_events(self, position: int) -> None:
        seconds = LOOK_SECONDS if self._notifications.listening else DEAF_LOOK_SECONDS
        await self._notifications.wait(await self._log.find_id(), beyond=position, seconds=seconds)

    async def _take(self) -> bool:
        if self._lease is None:
            log_id = await self._log.find_id()
            if log_id != NO_LOG:
                name, version = self._projection.name, self._projection.version
                self._lease = await checkpoint.take_lease(self._database, log_id, name, version, self._holder)
                if self._lease is not None and not REMOVABLE_TOPICS.isdisjoint(self._projection.topics):
                    await self._check_not_archived(log_id)
        return self._lease is not None

    async def _check_not_archived(self, log_id: int) -> None:
        """Raises ArchivedPastCheckpoint. Nothing that the checkpoint has not passed can be archived from now on."""
        position = await checkpoint.read_checkpoint(self._database, log_id, self._projection.name)
        async with self._database.connection() as connection:
            until = await read_archived_until(connection, log_id)
        if position < until:
            raise ArchivedPastCheckpoint(self._projection.name, position, until)

    async def _let_go(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            await checkpoint.release(self._database, lease)

    async def _apply_up_to_failure(self) -> Step:
        """A step; when its batch fails, event by event up to the one that does. Raises Poison."""
        try:
            return await self._step(BATCH)
        except EventNotApplied:
            for _ in range(BATCH):
                step = await self._step(1)
                if step.at_end:
                    break
            return step

    async def _step(self, limit: int) -> Step:
        lease = self._lease
        assert lease is not None
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute(TRANSACTION)
            position = await checkpoint.hold(connection, lease)
            rows = await connection.fetch(SQL["read_log"], lease.log_id, position, LAST_POSITION, limit)
            if rows:
                position = rows[-1]["position"]
                await self._apply(connection, lease, [_log_row(row) for row in rows])
            if rows or time.monotonic() - self._renewed > LOOK_SECONDS:
                await checkpoint.advance(connection, lease, position)
                self._renewed = time.monotonic()
        if rows:
            self.counts.events += len(rows)
            self.counts.batches += 1
        return Step(position, at_end=len(rows) < limit)

    async def _apply(self, connection: Connection, lease: Lease, rows: list[LogRow]) -> None:
        of_interest = [row for row in rows if row.topic in self._projection.topics]
        if not of_interest:
            return
        skipped = await skipped_positions(
            connection, lease.log_id, lease.projection, after=rows[0].position - 1, until=rows[-1].position
        )
        if skipped:
            of_interest = [row for row in of_interest if row.position not in skipped]
            self._logger.warning("skipped as an operator said", positions=sorted(skipped))
        try:
            if of_interest:
                await self._projection.apply(connection, lease.log_id, of_interest)
        except Exception as error:
            if isinstance(error, CONNECTION_ERRORS) and not isinstance(error, ValueError):
                raise
            raise EventNotApplied(of_interest[0], error) from error

    async def _stop_at(self, poison: EventNotApplied) -> None:
        """Say so where operators look; and let go, so that a process with other code may try."""
        row = poison.row
        self._say(self._logger.error, "projection stopped", position=row.position, topic=row.topic, reason=str(poison))
        with suppress(Unavailable):
            if self._lease is not None:
                await checkpoint.stop_at(self._database, self._lease, row.position, row.topic, str(poison))
            await self._let_go()

    def _say(self, log: Callable[..., object], event: str, **fields: object) -> None:
        """Log it, unless it is what was said last: it is tried again and again."""
        said = f"{event} {fields}"
        if said != self._told:
            log(event, **fields)
            self._told = said


def _log_row(record: asyncpg.Record) -> LogRow:
    position, recorded_at, _stream_id, *rest = record
    return LogRow(position, recorded_at, *rest)
