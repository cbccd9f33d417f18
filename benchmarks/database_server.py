"""The PostgreSQL server that everything measured shares: durable, over TCP, with settings as in production."""

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
"""The same for all. What is not here is as PostgreSQL comes: fsync, full_page_writes and synchronous_commit are on."""

ACCESS = """\
local all all trust
host  all all 127.0.0.1/32 scram-sha-256
"""
"""Only this user can enter the folder of the socket; over TCP everybody needs a password."""

WRITE_A_FILE_OF_WAL = "SELECT pg_logical_emit_message(false, '', repeat('0', 16 * 1024 * 1024))"
WAL_FILES = 120
"""Of 16 MB each: nearly `min_wal_size`."""

NAME = re.compile(r"[a-z][a-z0-9_]{0,50}")


class DatabaseServer:
    """A running server. For one thread, outside of an event loop."""

    def __init__(self, superuser_dsn: str, port: int, pid: int) -> None:
        self.superuser_dsn = superuser_dsn
        """Over the socket, in the database `postgres`."""
        self.port = port
        self.pid = pid
        """Of the first process, whose children do the work."""

    def database(self, name: str) -> Database:
        """Make an empty database, and the role that owns it, of the same name, with a new password.

        The role may make other roles, and has no other right. A database of that name that is there is dropped.
        """
        if not NAME.fullmatch(name):
            msg = f"{name!r} cannot be quoted by everyone: name a database with a-z, 0-9 and _"
            raise ValueError(msg)
        self.drop(name)
        password = secrets.token_hex(16)
        asyncio.run(self._make(name, password))
        return Database(HOST, self.port, name, name, password)

    def drop(self, name: str) -> None:
        """Drop a database, ending the connections it has; does nothing where there is none. Its role stays."""
        asyncio.run(self._run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))

    def checkpoint(self) -> None:
        """Write out what has changed, so that what is measured next does not pay for what was done before."""
        asyncio.run(self._run("CHECKPOINT"))

    def version(self) -> str:
        """Of PostgreSQL."""
        return asyncio.run(self._version())

    async def _version(self) -> str:
        connection = await asyncpg.connect(self.superuser_dsn)
        try:
            return str(await connection.fetchval("SELECT split_part(current_setting('server_version'), ' ', 1)"))
        finally:
            await connection.close()

    def write_the_wal_once(self, files: int = WAL_FILES) -> None:
        """Write so many files of WAL, which what follows uses again, as in a server that has run for long.

        To make a file of it can take 45 ms, in which nothing commits: a benchmark would measure that the server is new.
        """
        asyncio.run(self._run(*[WRITE_A_FILE_OF_WAL] * files, "CHECKPOINT"))

    async def _make(self, name: str, password: str) -> None:
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
    """A server with its data in this folder; within, it runs."""
    folder.mkdir(parents=True, exist_ok=True)
    access = folder / "pg_hba.conf"
    access.write_text(ACCESS)
    port = free_port()
    settings = SETTINGS | {"port": str(port), "hba_file": str(access.resolve())}
    with EmbeddedPostgres(folder, settings=settings) as postgres:
        pid = int((folder / "data" / "postmaster.pid").read_text(encoding="utf-8").partition("\n")[0])
        yield DatabaseServer(postgres.superuser_dsn, port, pid)
