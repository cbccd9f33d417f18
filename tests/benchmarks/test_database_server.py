"""The database server of the benchmarks: one for all, durable, over TCP, a database and a role for each."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from benchmarks.database_server import DatabaseServer, database_server


@pytest.fixture(scope="module")
def server() -> Iterator[DatabaseServer]:
    with tempfile.TemporaryDirectory(prefix="token-ledger-benchmark-") as name, database_server(Path(name)) as running:
        yield running


def ask(dsn: str, query: str) -> object:
    async def fetch() -> object:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(fetch())


def test_a_contender_owns_a_database_of_its_own(server):
    database = server.database("first")

    owns = "SELECT current_user || ' owns ' || pg_get_userbyid(datdba) || '''s ' || datname FROM pg_database"
    assert ask(database.url, f"{owns} WHERE datname = current_database()") == "first owns first's first"
    assert ask(database.url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False


def test_nobody_enters_without_the_password(server):
    database = server.database("second")

    with pytest.raises(asyncpg.InvalidPasswordError):
        ask(database.url.replace(database.password, "guessed"), "SELECT 1")


def test_a_database_that_is_made_again_is_empty_and_one_that_is_dropped_is_gone(server):
    ask(server.database("third").url, "CREATE TABLE kept (n int)")

    database = server.database("third")

    assert ask(database.url, "SELECT to_regclass('kept')") is None
    server.drop("third")
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        ask(database.url, "SELECT 1")


def test_nothing_committed_is_lost_in_a_power_cut(server):
    durable = "SELECT array_agg(setting) FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit')"
    assert ask(server.superuser_dsn, durable) == ["on", "on"]


def test_a_name_that_not_everyone_can_quote_is_refused(server):
    with pytest.raises(ValueError, match="a-z, 0-9 and _"):
        server.database("node-oidc")


def test_files_of_the_write_ahead_log_wait_to_be_used_again(server):
    ahead = "SELECT count(*) FROM pg_ls_waldir() WHERE name > pg_walfile_name(pg_current_wal_lsn()) AND name !~ '[.]'"
    before = ask(server.superuser_dsn, ahead)

    server.write_the_wal_once(files=4)

    assert ask(server.superuser_dsn, ahead) >= before + 3
