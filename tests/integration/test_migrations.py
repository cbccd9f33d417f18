"""From an empty database to the schema of this release, safely, and only where server and roles are fit for it."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from migrations import runner
from migrations.head import newest_revision
from migrations.preconditions import (
    MigrationError,
    OwnerMayNotCreate,
    PostgresTooOld,
    ServiceRoleMissing,
    ServiceRoleTooPowerful,
    check_version,
)
from migrations.runner import DatabaseIsNewer, MigrationUnderWay, current_revision, head_revision, upgrade
from tests.databases import OWNER, SERVICE
from tests.integration.catalog import describe

EXPECTED = Path(__file__).parent / "schema.txt"


@pytest.fixture
async def superuser(empty_database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(empty_database.superuser_dsn)
    yield connection
    await connection.close()


@pytest.fixture
async def new_role(superuser) -> AsyncIterator[str]:
    """A role's name that nobody has, with all that makes quoting hard."""
    name = f'odd "role" {secrets.token_hex(4)}'
    yield name
    quoted = '"' + name.replace('"', '""') + '"'
    if await superuser.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name):
        await superuser.execute(f"DROP OWNED BY {quoted}; DROP ROLE {quoted}")


async def test_all_migrations_make_the_schema_that_is_written_down(empty_database, tmp_path):
    await upgrade(empty_database.owner_dsn)

    found = await describe(empty_database.owner_dsn)

    actual = tmp_path / "schema.txt"
    actual.write_text(found + "\n", encoding="utf-8")
    assert found.splitlines() == EXPECTED.read_text(encoding="utf-8").splitlines(), f"if meant: cp {actual} {EXPECTED}"


async def test_an_empty_database_has_no_revision(empty_database):
    assert await current_revision(empty_database.owner_dsn) is None


async def test_an_upgrade_applies_every_revision_and_names_them_oldest_first(empty_database):
    applied = await upgrade(empty_database.owner_dsn)

    assert applied[0] == "0001"
    assert applied == sorted(applied)
    assert applied[-1] == head_revision() == newest_revision()


async def test_an_upgraded_database_is_at_the_head_for_owner_and_service(empty_database):
    await upgrade(empty_database.owner_dsn)

    assert await current_revision(empty_database.owner_dsn) == head_revision()
    assert await current_revision(empty_database.service_dsn) == head_revision()


async def test_a_second_upgrade_finds_nothing_to_do(empty_database):
    await upgrade(empty_database.owner_dsn)
    before = await describe(empty_database.owner_dsn)

    assert list(await upgrade(empty_database.owner_dsn)) == []
    assert await describe(empty_database.owner_dsn) == before


async def test_of_several_upgrades_at_once_one_migrates_and_all_succeed(empty_database):
    results = await asyncio.gather(*(upgrade(empty_database.owner_dsn) for _ in range(4)))

    assert sorted(map(len, results))[:3] == [0, 0, 0]
    assert await current_revision(empty_database.owner_dsn) == head_revision()


async def test_an_upgrade_waits_for_the_one_under_way(empty_database, superuser):
    await superuser.fetchval("SELECT pg_advisory_lock($1)", runner.LOCK_KEY)
    waiting = asyncio.create_task(upgrade(empty_database.owner_dsn))
    asked = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_try_advisory_lock%'"
    while not await superuser.fetchval(asked):  # noqa: ASYNC110 (only the server knows)
        await asyncio.sleep(0)
    assert await current_revision(empty_database.owner_dsn) is None

    await superuser.fetchval("SELECT pg_advisory_unlock($1)", runner.LOCK_KEY)

    assert list(await waiting) != []


async def test_an_upgrade_does_not_wait_for_ever(empty_database, superuser, monkeypatch):
    monkeypatch.setattr(runner, "LOCK_SECONDS", 0.0)
    await superuser.fetchval("SELECT pg_advisory_lock($1)", runner.LOCK_KEY)

    with pytest.raises(MigrationUnderWay):
        await upgrade(empty_database.owner_dsn)


async def test_an_upgrade_leaves_no_lock_behind(empty_database, superuser):
    await upgrade(empty_database.owner_dsn)

    locks = """
    SELECT count(*) FROM pg_locks
     WHERE locktype = 'advisory'
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
    assert await superuser.fetchval(locks) == 0


async def test_a_revision_that_fails_leaves_no_trace(empty_database, superuser):
    await superuser.execute("CREATE TABLE clients (in_the_way text)")

    with pytest.raises(Exception, match='relation "clients" already exists'):
        await upgrade(empty_database.owner_dsn)

    assert await superuser.fetchval("SELECT to_regclass('event_log')") is None
    await superuser.execute("DROP TABLE clients")
    assert (await upgrade(empty_database.owner_dsn))[0] == "0001"


async def test_an_upgrade_works_from_any_folder(empty_database, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    assert await upgrade(empty_database.owner_dsn)


async def test_a_missing_service_role_is_told_with_the_statement_that_makes_it(empty_database, superuser, new_role):
    with pytest.raises(ServiceRoleMissing) as refused:
        await upgrade(empty_database.owner_dsn, service_role=new_role)

    (statement,) = [line for line in str(refused.value).splitlines() if "CREATE ROLE" in line]
    await superuser.execute(statement)
    assert await upgrade(empty_database.owner_dsn, service_role=new_role)
    assert await superuser.fetchval("SELECT has_table_privilege($1, 'event_log', 'INSERT')", new_role)


@pytest.mark.parametrize("role", [OWNER, "postgres"])
async def test_a_service_role_with_the_owners_rights_is_refused(empty_database, superuser, role):
    role = role if role == OWNER else await superuser.fetchval("SELECT current_user")

    with pytest.raises(ServiceRoleTooPowerful, match="append-only"):
        await upgrade(empty_database.owner_dsn, service_role=role)


async def test_a_role_that_may_not_create_tables_is_told_to_become_the_owner(empty_database):
    with pytest.raises(OwnerMayNotCreate, match=f'ALTER DATABASE "{empty_database.name}" OWNER TO "{SERVICE}";'):
        await upgrade(empty_database.service_dsn, service_role=OWNER)


async def test_a_database_of_a_newer_release_is_left_alone(empty_database, superuser):
    await upgrade(empty_database.owner_dsn)
    await superuser.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(DatabaseIsNewer, match="'9999'"):
        await upgrade(empty_database.owner_dsn)


def test_postgresql_14_is_too_old():
    with pytest.raises(PostgresTooOld, match=r"PostgreSQL 14\.11; the ledger needs 15 or later"):
        check_version(asyncpg.ServerVersion(14, 11, 0, "final", 0))


def test_postgresql_15_is_not_too_old():
    check_version(asyncpg.ServerVersion(15, 0, 0, "final", 0))


@pytest.mark.parametrize(
    "error", [PostgresTooOld, ServiceRoleMissing, ServiceRoleTooPowerful, OwnerMayNotCreate, DatabaseIsNewer]
)
def test_every_refusal_can_be_caught_as_one(error):
    assert issubclass(error, MigrationError)


def test_no_revision_offers_a_downgrade():
    revisions = sorted((Path(runner.__file__).parent / "versions").glob("*.py"))

    assert revisions
    assert [path.name for path in revisions if "def downgrade" in path.read_text(encoding="utf-8")] == []
