"""The database server of the benchmarks: durable, over TCP, with a database and a role per contender."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from benchmarks.database_server import DatabaseServer, database_server
from tests import databases


@pytest.fixture(scope="module")
def server() -> Iterator[DatabaseServer]:
    with tempfile.TemporaryDirectory(prefix="token-ledger-benchmark-") as name, database_server(Path(name)) as running:
        yield running


def fetch_value(dsn: str, query: str) -> Any:
    return asyncio.run(databases.fetch_value(dsn, query))


def test_contender_owns_its_database_on_a_durable_server(server):
    database = server.database("first")

    durable = "SELECT array_agg(setting) FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit')"
    assert fetch_value(database.url, durable) == ["on", "on"]
    owns = "SELECT current_user || ' owns ' || pg_get_userbyid(datdba) || '''s ' || datname FROM pg_database"
    assert fetch_value(database.url, f"{owns} WHERE datname = current_database()") == "first owns first's first"
    assert fetch_value(database.url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False


def test_connection_is_refused_without_the_password(server):
    database = server.database("second")

    with pytest.raises(asyncpg.InvalidPasswordError):
        fetch_value(database.url.replace(database.password, "guessed"), "SELECT 1")


def test_recreated_database_is_empty_and_dropped_one_is_gone(server):
    fetch_value(server.database("third").url, "CREATE TABLE kept (n int)")

    database = server.database("third")

    assert fetch_value(database.url, "SELECT to_regclass('kept')") is None
    server.drop("third")
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        fetch_value(database.url, "SELECT 1")


def test_database_name_that_needs_quoting_is_refused(server):
    with pytest.raises(ValueError, match="a-z, 0-9 and _"):
        server.database("node-oidc")


def test_preallocated_wal_files_are_recycled(server):
    ahead = "SELECT count(*) FROM pg_ls_waldir() WHERE name > pg_walfile_name(pg_current_wal_lsn()) AND name !~ '[.]'"
    before = fetch_value(server.superuser_dsn, ahead)

    server.preallocate_wal(files=4)

    assert fetch_value(server.superuser_dsn, ahead) >= before + 3
