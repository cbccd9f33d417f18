"""The composition root: wires the resources of one process and its issuers."""

import asyncio
import os
import secrets
import socket
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

from api.service.role_check import describe_excess_rights
from api.service.running_service import LogCounts, ServiceCounts
from ledger.batching.group_commit import GroupCommit
from ledger.domain.clock import utc_now
from ledger.domain.errors import Unavailable
from ledger.domain.recording import EventMapper
from ledger.postgres.database import Database
from ledger.postgres.event_log import PostgresEventLog
from ledger.postgres.logs import NO_LEDGER, Log
from ledger.postgres.notifications import LogNotifications
from ledger.use_cases.issuer import Issuer, IssuerIdentifier, assemble_issuer
from projections.audit.audit_trail import assemble_audit_trail
from projections.catalogue import all_projections, catch_up_projections, inline_versions
from projections.expiry_sweep import ExpirySweep, SweepCounts, read_sweep_lag
from projections.following.follower import Follower
from projections.following.status import ProjectionStatus, read_status
from projections.lookups import LookUps, PostgresActiveTokens, PostgresClients
from projections.versions import version_problems
from projections.view_check import ViewCheck, ViewCheckResult, head_problems, read_view_checks

VERIFICATION_THREADS = 2
"""Concurrent argon2id verifications of a process; each takes 19 MiB and a core."""


@dataclass(frozen=True)
class ServiceConfig:
    """The configuration of a service.

    `revision` is the required schema revision; None skips the check. `max_waiting_appends` limits the append queue of
    each issuer, `pool_size` the database connections of the process. The followers, which write the catch-up
    projections, use `projector_dsn`, or else `dsn`. A `restricted` service is not ready when its role could change the
    log.
    """

    dsn: str
    issuers: tuple[IssuerIdentifier, ...]
    revision: str | None = None
    max_waiting_appends: int = 4096
    pool_size: int = 8
    projector_dsn: str | None = None
    restricted: bool = False


class Service:
    """The service over PostgreSQL. It does not connect when created, so it starts while the database is down."""

    def __init__(self, config: ServiceConfig) -> None:
        """Needs a running event loop. No two issuers may share a log."""
        self._config = config
        self._database = Database(config.dsn, pool_size=config.pool_size)
        projector_dsn = config.projector_dsn or config.dsn
        self._projector_database = (
            self._database if projector_dsn == config.dsn else Database(projector_dsn, pool_size=config.pool_size)
        )
        self._verifications = ThreadPoolExecutor(VERIFICATION_THREADS, thread_name_prefix="argon2")
        self._notifications = LogNotifications(config.dsn)
        self._logs: list[Log] = []
        self._writers: list[GroupCommit] = []
        self._followers: list[Follower] = []
        self._sweep: ExpirySweep | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.issuers: Sequence[Issuer] = tuple(self._issuer(identifier) for identifier in config.issuers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _issuer(self, identifier: IssuerIdentifier) -> Issuer:
        mapper = EventMapper()
        log = self.log(identifier)
        event_log = PostgresEventLog(log, inline_versions())
        writer = GroupCommit(event_log, max_waiting=self._config.max_waiting_appends)
        look_ups = LookUps(log)
        active_tokens = PostgresActiveTokens(look_ups)
        audit = assemble_audit_trail(
            log, event_log, active_tokens, notifications=self._notifications, mapper=mapper, clock=utc_now
        )
        self._logs.append(log)
        self._writers.append(writer)
        self._followers.extend(
            Follower(self.projector_log(identifier), projection, self._notifications, holder=get_process_name())
            for projection in catch_up_projections(mapper)
        )
        return assemble_issuer(
            identifier,
            clients=PostgresClients(log, look_ups),
            active_tokens=active_tokens,
            streams=event_log,
            audit=audit,
            writer=writer,
            mapper=mapper,
            verifications=self._verifications,
            clock=utc_now,
            random_bytes=secrets.token_bytes,
        )

    def log(self, identifier: IssuerIdentifier) -> Log:
        """Return the log of an issuer, for operations on the whole log."""
        return Log(self._database, identifier.log_name)

    def projector_log(self, identifier: IssuerIdentifier) -> Log:
        """Return the log of an issuer as the role that writes catch-up projections sees it."""
        return Log(self._projector_database, identifier.log_name)

    def run_task(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine until the service closes."""
        self._tasks.append(asyncio.create_task(work))

    def follow(self) -> None:
        """Run the catch-up projections that no other process runs, until the service closes."""
        for follower in self._followers:
            self.run_task(follower.run())

    def sweep(self, within: float) -> None:
        """Delete expired rows of all logs within so many seconds, until the service closes."""
        self._sweep = ExpirySweep(self._database, within=within)
        self.run_task(self._sweep.run())

    def verify(self, within: float) -> None:
        """Compare the views with the log within so many seconds, again and again, until the service closes."""
        self.run_task(ViewCheck(self._logs, within=within).run())

    async def catch_up(self) -> None:
        """Apply the whole log to the catch-up projections that no other process runs. Raises Unavailable."""
        for follower in self._followers:
            await follower.catch_up()

    async def projections(self) -> Sequence[ProjectionStatus]:
        """Read the status of the projections of every log. Raises Unavailable."""
        projections = all_projections(EventMapper())
        return [status for log in self._logs for status in await read_status(log, projections)]

    async def sweep_lag(self) -> float:
        """Return the seconds since the last complete sweep began. Raises Unavailable."""
        return await read_sweep_lag(self._database)

    async def verification(self) -> Sequence[ViewCheckResult]:
        """Return what the comparison of the views with each log has found. Raises Unavailable."""
        return await read_view_checks(self._database, [log.name for log in self._logs])

    def counts(self) -> ServiceCounts:
        """Return the counters of this process."""
        return ServiceCounts(
            logs=[
                LogCounts(log.name, writer.waiting, issuer.audit.events.waiting, writer.counts)
                for log, writer, issuer in zip(self._logs, self._writers, self.issuers, strict=True)
            ],
            followers=[follower.counts for follower in self._followers],
            sweep=SweepCounts() if self._sweep is None else self._sweep.counts,
        )

    async def problems(self) -> Sequence[str]:
        """Return why the service is not ready, one sentence per problem; empty when it is ready. Never raises."""
        try:
            async with self._database.connection() as connection:
                tables = await connection.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL")
                found = await connection.fetchval("SELECT version_num FROM alembic_version") if tables else None
                if found is None:
                    return [NO_LEDGER]
                # Revisions are numbers, and later ones only add: both releases can run during an upgrade.
                needed = self._config.revision
                if needed is not None and found < needed:
                    advice = "run 'token-ledger migrate'"
                    return [f"The database schema is at revision {found}, this release needs {needed}: {advice}."]
                excess = await describe_excess_rights(connection) if self._config.restricted else None
                if excess:
                    return [f"{excess}."]
                heads = await head_problems(connection, [log.name for log in self._logs])
                return [*await version_problems(connection), *heads]
        except Unavailable as error:
            return [str(error)]

    async def close(self) -> None:
        """Append what is queued, then disconnect from the database."""
        for writer in self._writers:
            await writer.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for issuer in self.issuers:
            await issuer.audit.events.close()
        await self._notifications.close()
        for database in {self._projector_database, self._database}:  # often the same: closing twice takes seconds
            await database.close()
        self._verifications.shutdown(wait=False, cancel_futures=True)


def get_process_name() -> str:
    """Return the host name and process id, by which operators identify this process."""
    return f"{socket.gethostname()}:{os.getpid()}"
