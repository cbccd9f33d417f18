"""Brings a database to the schema of this release, from inside a running event loop and from any folder.

Several processes may start at once: one migrates, the others wait for it and find nothing left to do.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationInfo
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from migrations.preconditions import AsyncpgConnection, MigrationError, check_server

CONNECT_SECONDS = 10.0
"""How long a connection may take to be made."""

LOCK_KEY = 0x746F6B656E6C6564
"""The advisory lock of whoever migrates a database: "tokenled" as a number."""

LOCK_SECONDS = 600.0
"""How long to wait for another process that migrates."""

LOCK_POLL_SECONDS = 0.05


class MigrationUnderWay(MigrationError):
    """Another process has held the migration lock all the while."""

    def __init__(self) -> None:
        super().__init__(
            f"Another process has been migrating this database for {LOCK_SECONDS:.0f} s. Let it finish, then try again."
        )


class DatabaseIsNewer(MigrationError):
    """The database was migrated by a newer release than this one."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"The database is at revision {revision!r}, which this release does not have (it ends at "
            f"{head_revision()!r}). Run the release that migrated it, or a later one."
        )


def head_revision() -> str:
    """The newest revision of this release."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        msg = f"{_folder()} holds no migrations: the installation is incomplete"
        raise MigrationError(msg)
    return head


async def current_revision(dsn: str) -> str | None:
    """The revision a database is at, or None when it was never migrated. The service's role may ask too.

    Raises asyncpg's errors and OSError when the database cannot be reached.
    """
    connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS)
    try:
        return await _revision(connection)
    finally:
        await connection.close()


async def upgrade(dsn: str, *, service_role: str = "token_ledger_service") -> Sequence[str]:
    """Apply what is missing, as the role of the DSN, who becomes the owner; return the revisions, oldest first.

    Each revision has its own transaction: a failure leaves those before it applied. The service's role must exist; it
    is granted what the service needs and no more. Raises MigrationError when the server or its roles are not fit, and
    asyncpg's errors and OSError when the database cannot be reached.
    """

    async def connect() -> "AsyncpgConnection":
        return await asyncpg.connect(dsn, timeout=CONNECT_SECONDS)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert isinstance(driver, asyncpg.Connection)
            await check_server(driver, service_role)
            await _lock(driver)
            return await _upgrade(connection, driver, service_role)
    finally:
        await engine.dispose()  # the lock goes with the connection


async def _lock(connection: "AsyncpgConnection") -> None:
    # Asked again and again rather than waited for: a waiting statement holds a snapshot, and an index that is built
    # concurrently by whoever holds the lock would wait for that snapshot in turn.
    deadline = time.monotonic() + LOCK_SECONDS
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK_KEY):
        if time.monotonic() > deadline:
            raise MigrationUnderWay
        await asyncio.sleep(LOCK_POLL_SECONDS)


async def _upgrade(connection: AsyncConnection, driver: "AsyncpgConnection", service_role: str) -> Sequence[str]:
    applied: list[str] = []

    def on_version_apply(*, step: MigrationInfo, **_: object) -> None:
        applied.extend(step.up_revision_ids)

    def run(connection: Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        config.attributes["service_role"] = service_role
        config.attributes["on_version_apply"] = on_version_apply
        command.upgrade(config, "head")

    await _refuse_newer(driver)
    await connection.run_sync(run)
    await connection.commit()
    return applied


async def _refuse_newer(connection: "AsyncpgConnection") -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    revision = await _revision(connection)
    if revision is not None and revision not in known:
        raise DatabaseIsNewer(revision)


async def _revision(connection: AsyncpgConnection) -> str | None:
    # Asked in two steps: a table that is not there would be an error in the server's log.
    if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
        return None
    revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    return revision


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    return config


def _folder() -> Path:
    return Path(__file__).parent
