"""Follow the log with one projection, for as long as this process holds the lease.

A notification wakes the follower; it also polls. At an event that cannot be applied the projection stops: the reason is
recorded with the checkpoint, and the follower retries until the event can be applied or an operator skips it.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import asyncpg
import structlog

from ledger.domain.errors import Unavailable
from ledger.postgres.archive.catalogue import REMOVABLE_TOPICS, read_archived_until
from ledger.postgres.logs import NO_LOG, Log
from ledger.postgres.notifications import LogNotifications
from projections.following.batches import BatchApplier, EventNotApplied, FollowerCounts
from projections.following.lease import (
    Lease,
    LeaseLost,
    VersionMismatch,
    read_checkpoint,
    record_stop,
    release_lease,
    take_lease,
)
from projections.projection import Projection

GATHER_SECONDS = 0.03
"""Pause after a batch that reached the end of the log: many small batches would cost more than fewer larger ones."""

POLL_SECONDS = 1.0
POLL_WITHOUT_NOTIFICATIONS_SECONDS = 0.05

RETRY_SECONDS = 0.5
"""Pause after an error, and while another process holds the lease."""


class ArchivedPastCheckpoint(Unavailable):
    """The log is archived beyond the checkpoint: the projection must be rebuilt."""

    def __init__(self, projection: str, position: int, until: int) -> None:
        super().__init__(
            f"{projection} is at position {position}, but the log is archived up to position {until}: rebuild it with "
            f"'token-ledger projections rebuild {projection} --archives FOLDER'"
        )


class Follower:
    """Keeps one catch-up projection of one log up to date."""

    def __init__(self, log: Log, projection: Projection, notifications: LogNotifications, *, holder: str) -> None:
        """`holder` names this process to operators."""
        self._log = log
        self._projection = projection
        self._notifications = notifications
        self._holder = holder
        self._lease: Lease | None = None
        self._last_logged = ""
        self._logger = structlog.get_logger().bind(projection=projection.name, log=log.name)
        self.counts = FollowerCounts(projection.name, log.name)
        self._applier = BatchApplier(log.database, projection, self.counts)

    async def run(self) -> None:
        """Follow until cancelled, whatever happens to the database; then release the lease."""
        try:
            while True:
                try:
                    await self._follow()
                except LeaseLost:
                    self._lease = None
                    self._logger.info("lease lost")
                except ArchivedPastCheckpoint as error:
                    self._log_once(self._logger.warning, "projection not followed", reason=str(error))
                    with suppress(Unavailable):
                        await self._release()
                except Unavailable:
                    pass
                except VersionMismatch as error:
                    self._log_once(self._logger.warning, "projection not followed", reason=str(error))
                except asyncpg.UndefinedTableError as error:
                    reason = f"{error}: this release needs a newer schema, run 'token-ledger migrate'"
                    self._log_once(self._logger.warning, "projection not followed", reason=reason)
                except EventNotApplied as error:
                    await self._stop(error)
                except Exception:
                    # The follower must run for as long as its process does.
                    self._logger.exception("projection interrupted")
                self.counts.following = False
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    # A connection that broke during the cancellation has replaced CancelledError by its own error.
                    raise asyncio.CancelledError
                await asyncio.sleep(RETRY_SECONDS)
        finally:
            self.counts.following = False
            with suppress(Unavailable):
                await self._release()

    async def catch_up(self) -> bool:
        """Apply all events and release the lease; False if another process follows.

        Raises EventNotApplied, Unavailable, VersionMismatch.
        """
        try:
            lease = await self._take()
            if lease is None:
                return False
            while not (await self._applier.apply_batch(lease)).at_end:
                pass
        except LeaseLost:
            self._lease = None
            return False
        finally:
            await self._release()
        return True

    async def _follow(self) -> None:
        lease = await self._take()
        if lease is None:
            return
        while True:
            notified = self._notifications.count(lease.log_id)
            batch = await self._applier.apply_up_to_failure(lease)
            if not self.counts.following:
                self.counts.following, self._last_logged = True, ""
                self._logger.info("projection followed", position=batch.position)
            if batch.at_end:
                await asyncio.sleep(GATHER_SECONDS)
                seconds = POLL_SECONDS if self._notifications.listening else POLL_WITHOUT_NOTIFICATIONS_SECONDS
                await self._notifications.wait(lease.log_id, since=notified, seconds=seconds)

    async def _take(self) -> Lease | None:
        if self._lease is None and (log_id := await self._log.find_id()) != NO_LOG:
            name, version = self._projection.name, self._projection.version
            self._lease = await take_lease(self._log.database, log_id, name, version, self._holder)
            if self._lease is not None and not REMOVABLE_TOPICS.isdisjoint(self._projection.topics):
                await self._check_not_archived(log_id)
        return self._lease

    async def _check_not_archived(self, log_id: int) -> None:
        """Raises ArchivedPastCheckpoint. Archiving waits for checkpoints, so one check per lease is enough."""
        position = await read_checkpoint(self._log.database, log_id, self._projection.name)
        async with self._log.database.connection() as connection:
            until = await read_archived_until(connection, log_id)
        if position < until:
            raise ArchivedPastCheckpoint(self._projection.name, position, until)

    async def _release(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            await release_lease(self._log.database, lease)

    async def _stop(self, error: EventNotApplied) -> None:
        """Record and log where the projection stopped, and release the lease: another release may apply the event."""
        row = error.row
        self._log_once(
            self._logger.error, "projection stopped", position=row.position, topic=row.topic, reason=str(error)
        )
        with suppress(Unavailable):
            if self._lease is not None:
                await record_stop(
                    self._log.database,
                    self._lease,
                    row.position,
                    row.topic,
                    error_type=error.error_type,
                    error=str(error),
                )
            await self._release()

    def _log_once(self, log: Callable[..., object], event: str, **fields: object) -> None:
        """Log unless this equals the last message: every retry would repeat it."""
        message = f"{event} {fields}"
        if message != self._last_logged:
            log(event, **fields)
            self._last_logged = message
