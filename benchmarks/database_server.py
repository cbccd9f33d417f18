"""The PostgreSQL server of a benchmark: durable, over TCP, with production settings, shared by all contenders."""

import asyncio
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from api.embedded_postgres import EmbeddedPostgres
from benchmarks.contenders.contender import Database
from benchmarks.ports import HOST, free_port

SETTINGS = {
    "listen_addresses": HOST,
    "max_connections": "200",
    "shared_buffers": "512MB",
    "effective_cache_size": "2GB",
    "max_wal_size": "4GB",
    "min_wal_size": "2GB",
    "random_page_cost": "1.1",
}
"""All other settings have their defaults: fsync, full_page_writes and synchronous_commit are on."""

ACCESS = """\
local all all trust
host  all all 127.0.0.1/32 scram-sha-256
"""
"""Only this user can enter the socket folder; over TCP every role needs its password."""

WRITE_WAL_FILE = "SELECT pg_logical_emit_message(false, '', repeat('0', 16 * 1024 * 1024))"
WAL_FILES = 120
"""Files of 16 MB: nearly `min_wal_size`."""

NAME = re.compile(r"[a-z][a-z0-9_]{0,50}")


class DatabaseServer:
    """A running server. Use it outside of an event loop."""

    def __init__(self, superuser_dsn: str, port: int, pid: int) -> None:
        self.superuser_dsn = superuser_dsn
        """Connects over the socket to the database `postgres`."""
        self.port = port
        self.pid = pid
        """The first process; the others are its children."""

    def database(self, name: str) -> Database:
        """Create an empty database and its owner, a role of the same name with a new password.

        The role may also create other roles. An existing database of that name is dropped.
        """
        if not NAME.fullmatch(name):
            msg = f"{name!r} would need quoting: use only a-z, 0-9 and _ in the name of a database"
            raise ValueError(msg)
        self.drop(name)
        password = secrets.token_hex(16)
        asyncio.run(self._create(name, password))
        return Database(HOST, self.port, name, name, password)

    def drop(self, name: str) -> None:
        """Drop a database if it exists, and close its connections. Its role remains."""
        asyncio.run(self._run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))

    def checkpoint(self) -> None:
        """Write changed pages to disk, so that the next measurement does not pay for earlier changes."""
        asyncio.run(self._run("CHECKPOINT"))

    def version(self) -> str:
        return asyncio.run(self._version())

    async def _version(self) -> str:
        connection = await asyncpg.connect(self.superuser_dsn)
        try:
            return str(await connection.fetchval("SELECT split_part(current_setting('server_version'), ' ', 1)"))
        finally:
            await connection.close()

    def preallocate_wal(self, files: int = WAL_FILES) -> None:
        """Write WAL files that the server then recycles, like a server that has run for a long time.

        Creating a WAL file can block all commits for 45 ms: a benchmark would measure that the server is new.
        """
        asyncio.run(self._run(*[WRITE_WAL_FILE] * files, "CHECKPOINT"))

    async def _create(self, name: str, password: str) -> None:
        exists = f"SELECT FROM pg_roles WHERE rolname = '{name}'"
        role = f'DO $$ BEGIN IF NOT EXISTS ({exists}) THEN CREATE ROLE "{name}"; END IF; END $$'
        await self._run(role, f"ALTER ROLE \"{name}\" LOGIN CREATEROLE PASSWORD '{password}'")
        await self._run(f'CREATE DATABASE "{name}" OWNER "{name}"')

    async def _run(self, *statements: str) -> None:
        connection = await asyncpg.connect(self.superuser_dsn)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


@contextmanager
def database_server(folder: Path) -> Iterator[DatabaseServer]:
    """Run a server with its data in this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    access = folder / "pg_hba.conf"
    access.write_text(ACCESS)
    port = free_port()
    settings = SETTINGS | {"port": str(port), "hba_file": str(access.resolve())}
    with EmbeddedPostgres(folder, settings=settings) as postgres:
        pid = int((folder / "data" / "postmaster.pid").read_text(encoding="utf-8").partition("\n")[0])
        yield DatabaseServer(postgres.superuser_dsn, port, pid)
