"""Migrations take an empty database to the schema of this release, if the server and its roles are suitable."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from migrations import runner
from migrations.head import list_revisions, newest_revision, read_revision
from migrations.preconditions import (
    MigrationError,
    OwnerMayNotCreate,
    PostgresTooOld,
    ServiceRoleMissing,
    ServiceRoleTooPowerful,
    check_version,
)
from migrations.runner import DatabaseIsNewer, MigrationInProgress, upgrade
from tests.databases import OWNER, SERVICE, connect
from tests.integration.catalog import describe

EXPECTED = Path(__file__).parent / "schema.txt"


@pytest.fixture
async def superuser(empty_database) -> AsyncIterator[asyncpg.Connection]:
    async with connect(empty_database.superuser_dsn) as connection:
        yield connection


@pytest.fixture
async def new_role(superuser) -> AsyncIterator[str]:
    """An unused role name that needs quoting."""
    name = f'odd "role" {secrets.token_hex(4)}'
    yield name
    quoted = '"' + name.replace('"', '""') + '"'
    if await superuser.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name):
        await superuser.execute(f"DROP OWNED BY {quoted}; DROP ROLE {quoted}")


async def test_migrations_create_the_documented_schema(empty_database, tmp_path):
    await upgrade(empty_database.owner_dsn)
    found = await describe(empty_database.owner_dsn)
    actual = tmp_path / "schema.txt"
    actual.write_text(found + "\n", encoding="utf-8")
    assert found.splitlines() == EXPECTED.read_text(encoding="utf-8").splitlines(), (
        f"if intended: cp {actual} {EXPECTED}"
    )


async def test_upgrade_applies_every_revision_once_and_in_order(empty_database):
    assert await read_revision(empty_database.owner_dsn) is None
    assert list(await upgrade(empty_database.owner_dsn)) == list_revisions()
    assert await read_revision(empty_database.owner_dsn) == newest_revision()
    assert await read_revision(empty_database.service_dsn) == newest_revision()
    before = await describe(empty_database.owner_dsn)
    assert list(await upgrade(empty_database.owner_dsn)) == []
    assert await describe(empty_database.owner_dsn) == before


async def test_concurrent_upgrades_all_succeed_and_one_migrates(empty_database):
    results = await asyncio.gather(*(upgrade(empty_database.owner_dsn) for _ in range(4)))
    assert sorted(map(len, results))[:3] == [0, 0, 0]
    assert await read_revision(empty_database.owner_dsn) == newest_revision()


async def test_upgrade_waits_for_another_in_progress(empty_database, superuser):
    await superuser.fetchval("SELECT pg_advisory_lock($1)", runner.LOCK_KEY)
    waiting = asyncio.create_task(upgrade(empty_database.owner_dsn))
    polling = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_try_advisory_lock%'"
    while not await superuser.fetchval(polling):  # noqa: ASYNC110 (only the server knows)
        await asyncio.sleep(0)
    assert await read_revision(empty_database.owner_dsn) is None
    await superuser.fetchval("SELECT pg_advisory_unlock($1)", runner.LOCK_KEY)
    assert list(await waiting) != []


async def test_upgrade_fails_when_the_lock_timeout_passes(empty_database, superuser, monkeypatch):
    monkeypatch.setattr(runner, "LOCK_TIMEOUT_SECONDS", 0.0)
    await superuser.fetchval("SELECT pg_advisory_lock($1)", runner.LOCK_KEY)
    with pytest.raises(MigrationInProgress):
        await upgrade(empty_database.owner_dsn)


async def test_upgrade_releases_its_lock(empty_database, superuser):
    await upgrade(empty_database.owner_dsn)
    locks = """
    SELECT count(*) FROM pg_locks
     WHERE locktype = 'advisory'
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
    assert await superuser.fetchval(locks) == 0


async def test_failed_revision_is_rolled_back(empty_database, superuser):
    await superuser.execute("CREATE TABLE clients (in_the_way text)")
    with pytest.raises(Exception, match='relation "clients" already exists'):
        await upgrade(empty_database.owner_dsn)
    assert await superuser.fetchval("SELECT to_regclass('event_log')") is None
    await superuser.execute("DROP TABLE clients")
    assert (await upgrade(empty_database.owner_dsn))[0] == "0001"


async def test_upgrade_works_from_any_folder(empty_database, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert await upgrade(empty_database.owner_dsn)


async def test_error_shows_the_create_statement_when_service_role_is_missing(empty_database, superuser, new_role):
    with pytest.raises(ServiceRoleMissing) as refused:
        await upgrade(empty_database.owner_dsn, service_role=new_role)
    (statement,) = [line for line in str(refused.value).splitlines() if "CREATE ROLE" in line]
    await superuser.execute(statement)
    assert await upgrade(empty_database.owner_dsn, service_role=new_role)
    assert await superuser.fetchval(
        "SELECT has_function_privilege($1, oid, 'EXECUTE') FROM pg_proc WHERE proname = 'append_events'", new_role
    )


@pytest.mark.parametrize("role", [OWNER, "postgres"])
async def test_upgrade_is_refused_when_service_role_has_owner_rights(empty_database, superuser, role):
    role = role if role == OWNER else await superuser.fetchval("SELECT current_user")
    with pytest.raises(ServiceRoleTooPowerful, match="append-only"):
        await upgrade(empty_database.owner_dsn, service_role=role)


async def test_error_shows_the_owner_statement_when_role_cannot_create_tables(empty_database):
    with pytest.raises(OwnerMayNotCreate, match=f'ALTER DATABASE "{empty_database.name}" OWNER TO "{SERVICE}";'):
        await upgrade(empty_database.service_dsn, service_role=OWNER)


async def test_upgrade_is_refused_when_database_is_newer(empty_database, superuser):
    await upgrade(empty_database.owner_dsn)
    await superuser.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseIsNewer, match="'9999'"):
        await upgrade(empty_database.owner_dsn)


def test_version_check_fails_when_server_is_older_than_15():
    with pytest.raises(PostgresTooOld, match=r"PostgreSQL 14\.11; the ledger needs 15 or later"):
        check_version(asyncpg.ServerVersion(14, 11, 0, "final", 0))
    check_version(asyncpg.ServerVersion(15, 0, 0, "final", 0))


def test_every_refusal_is_a_migration_error():
    refusals = (PostgresTooOld, ServiceRoleMissing, ServiceRoleTooPowerful, OwnerMayNotCreate, DatabaseIsNewer)
    assert all(issubclass(refusal, MigrationError) for refusal in refusals)


def test_revisions_define_no_downgrade():
    revisions = sorted((Path(runner.__file__).parent / "versions").glob("*.py"))
    assert revisions
    assert [path.name for path in revisions if "def downgrade" in path.read_text(encoding="utf-8")] == []
