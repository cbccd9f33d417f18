"""Migrate a database to the schema of this release, from inside a running event loop.

Several processes may start at once: one migrates, the others wait and then find nothing to do.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationInfo
from sqlalchemy import Connection, NullPool
from sqlalchemy.ext.asyncio import create_async_engine

from migrations.head import CONNECT_TIMEOUT_SECONDS, list_revisions, newest_revision, read_revision
from migrations.preconditions import MigrationError, check_server
from migrations.privileges import set_privileges

LOCK_KEY = 0x746F6B656E6C6564
"""The key of the advisory lock that a migrating process holds: "tokenled" in ASCII."""

LOCK_TIMEOUT_SECONDS = 600.0
LOCK_POLL_SECONDS = 0.05


class MigrationInProgress(MigrationError):
    """Another process held the migration lock for LOCK_TIMEOUT_SECONDS."""

    def __init__(self) -> None:
        super().__init__(
            f"Another process has been migrating this database for {LOCK_TIMEOUT_SECONDS:.0f} s. "
            "Let it finish, then try again."
        )


class DatabaseIsNewer(MigrationError):
    """A newer release migrated the database."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"The database is at revision {revision!r}, which this release does not know (its newest is "
            f"{newest_revision()!r}). Run the release that migrated it, or a later one."
        )


async def upgrade(
    dsn: str,
    *,
    service_role: str = "token_ledger_service",
    projector_role: str = "token_ledger_projector",
    finish: bool = False,
) -> Sequence[str]:
    """Apply missing revisions as the role of the DSN, which owns the tables. Returns them, oldest first.

    Each revision has its own transaction: after a failure the earlier ones stay applied. The service's role must exist;
    the projector's role need not. `finish` revokes what only older releases need; a new database is finished at once.
    Raises MigrationError if the server or its roles are unsuitable, and asyncpg's errors and OSError if the database
    cannot be reached.
    """
    applied: list[str] = []

    async def connect() -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_SECONDS)

    def on_version_apply(*, step: MigrationInfo, **_: object) -> None:
        applied.extend(step.up_revision_ids)

    def run_alembic(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
        config.attributes["connection"] = connection
        config.attributes["service_role"] = service_role
        config.attributes["on_version_apply"] = on_version_apply
        command.upgrade(config, "head")

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert isinstance(driver, asyncpg.Connection)
            await check_server(driver, service_role)
            await _lock(driver)
            revision = await read_revision(dsn)
            if revision is not None and revision not in list_revisions():
                raise DatabaseIsNewer(revision)
            await connection.run_sync(run_alembic)
            await connection.commit()
            await set_privileges(
                driver, service_role=service_role, projector_role=projector_role, finish=finish or revision is None
            )
    finally:
        await engine.dispose()  # releases the lock
    return applied


async def _lock(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    # Poll instead of waiting: a waiting statement holds a snapshot, and a migration that builds an index concurrently
    # would wait for that snapshot in turn.
    deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK_KEY):
        if time.monotonic() > deadline:
            raise MigrationInProgress
        await asyncio.sleep(LOCK_POLL_SECONDS)
