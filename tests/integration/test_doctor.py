"""The doctor's findings about a healthy database, and about one problem at a time."""

import pytest

from api.operations.doctor.checks import CheckContext
from api.operations.doctor.examination import examine
from api.operations.doctor.ledger_checks import FORBIDDEN_PRIVILEGES, PROTECTED_TABLES
from ledger.domain.events import ClientSettings
from ledger.domain.recording import Cause
from ledger.use_cases.issuer import IssuerIdentifier
from migrations.head import newest_revision
from migrations.privileges import READ_TABLES, SERVICE_FUNCTIONS
from migrations.runner import upgrade
from tests.databases import connect, fetch_value, run_sql

FIRST = IssuerIdentifier("http://localhost:8085/first")


@pytest.fixture
def look(database):
    async def run(dsn: str | None = None, **changes):
        async with connect(dsn or database.service_dsn) as connection:
            given = {"issuers": (FIRST,), "head_revision": newest_revision(), "connections_needed": 8} | changes
            return {finding.check: finding for finding in await examine(CheckContext(connection=connection, **given))}

    return run


def wrong(findings) -> dict[str, str]:
    # The test server is not durable; its settings are tested separately.
    settings = {"fsync", "full_page_writes", "synchronous_commit", "autovacuum"}
    return {f.check: f.level for f in findings.values() if f.level != "ok" and f.check not in settings}


async def test_migrated_database_with_issuers_is_healthy(look, client):
    assert wrong(await look()) == {"projector": "warning"}


async def test_version_is_the_version_of_the_server(look, database):
    version = await fetch_value(database.service_dsn, "SHOW server_version")
    assert (await look())["version"].found == f"PostgreSQL {version.split()[0]}"


async def test_finding_has_advice_exactly_when_it_is_not_ok(look):
    for finding in (await look(connections_needed=100_000)).values():
        assert bool(finding.advice) == (finding.level != "ok"), finding


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
async def test_durability_setting_is_a_problem_when_off(look, setting):
    found = (await look())[setting]
    assert (found.found, found.level) in {(f"{setting} = off", "problem"), (f"{setting} = on", "ok")}


async def test_autovacuum_is_a_warning_when_off(look, database):
    is_on = await fetch_value(database.service_dsn, "SHOW autovacuum") == "on"
    found = (await look())["autovacuum"]
    assert (found.level, found.found) == (("ok", "on") if is_on else ("warning", "autovacuum = off"))


async def test_autovacuum_is_a_warning_when_track_counts_is_off(look, database):
    await run_sql(database.superuser_dsn, f"ALTER DATABASE {database.name} SET track_counts = off")
    found = (await look())["autovacuum"]
    assert found.level == "warning"
    assert "track_counts = off" in found.found


async def test_synchronous_commit_is_a_problem_when_off_for_the_database(look, database):
    await run_sql(database.owner_dsn, f"ALTER DATABASE {database.name} SET synchronous_commit = off")
    found = (await look())["synchronous_commit"]
    assert (found.level, found.found) == ("problem", "synchronous_commit = off")


async def test_role_is_a_problem_when_it_is_a_superuser(look, database):
    findings = await look(database.superuser_dsn)
    assert "is a superuser" in findings["role"].found
    assert findings["append-only"].level == "problem"


async def test_role_is_a_problem_when_it_owns_the_tables(look, database):
    findings = await look(database.owner_dsn)
    assert "has the rights of the tables' owner" in findings["role"].found
    assert "UPDATE on event_log" in findings["append-only"].found


@pytest.mark.parametrize("table", PROTECTED_TABLES)
@pytest.mark.parametrize("privilege", FORBIDDEN_PRIVILEGES)
async def test_append_only_is_a_problem_when_role_can_write(look, database, table, privilege):
    await run_sql(database.owner_dsn, f"GRANT {privilege} ON {table} TO token_ledger_service")
    found = (await look())["append-only"]
    assert (found.level, found.found) == ("problem", f"the role has {privilege} on {table}")
    assert "migrate --finish" in found.advice


@pytest.mark.parametrize("table", sorted({*READ_TABLES} - {"alembic_version"}))
async def test_privileges_are_a_problem_when_a_table_is_unreadable(look, database, table):
    await run_sql(database.owner_dsn, f"REVOKE ALL ON {table} FROM token_ledger_service")
    found = (await look())["privileges"]
    assert (found.level, found.found) == ("problem", f"the role lacks SELECT on {table}")


@pytest.mark.parametrize("function", SERVICE_FUNCTIONS)
async def test_privileges_are_a_problem_when_a_function_is_missing(look, database, function):
    await run_sql(database.owner_dsn, f"REVOKE EXECUTE ON FUNCTION {function} FROM token_ledger_service")
    found = (await look())["privileges"]
    assert (found.level, found.found) == ("problem", f"the role lacks EXECUTE on {function}")


async def test_projector_is_a_warning_until_it_has_a_role(look, database):
    found = (await look())["projector"]
    assert (found.level, "CREATE ROLE" in found.advice) == ("warning", True)
    await upgrade(database.owner_dsn, finish=True)
    assert (await look())["projector"].level == "ok"


async def test_privileges_are_ok_when_only_migrations_granted_them(look):
    assert (await look())["privileges"].level == "ok"


async def test_only_schema_is_checked_when_database_is_not_migrated(look, empty_database):
    findings = await look(empty_database.service_dsn)
    assert findings["schema"].found == "no ledger in this database"
    assert "token-ledger migrate" in findings["schema"].advice
    assert "privileges" not in findings


@pytest.mark.parametrize(("revision", "level"), [("0000", "problem"), ("9999", "warning")])
async def test_schema_is_not_ok_when_revision_differs(look, database, revision, level):
    await run_sql(database.owner_dsn, f"UPDATE alembic_version SET version_num = '{revision}'")  # noqa: S608 (from the list above)
    assert (await look())["schema"].level == level


async def test_warning_names_existing_logs_when_issuer_has_none(look, client):
    found = (await look(issuers=(FIRST, IssuerIdentifier("http://localhost:8085/frist"))))["logs"]
    assert (found.level, found.found) == (
        "warning",
        "no log yet for http://localhost:8085/frist; the logs are first",
    )


async def test_demo_clients_are_a_warning_when_enabled(look, issuer):
    cause = Cause(actor="operator:test")
    await issuer.registry.register("demo-client", ClientSettings(name="Demo", demo=True), cause)
    found = (await look())["demo clients"]
    assert (found.level, found.found) == ("warning", "enabled, with public secrets: demo-client (first)")
    await issuer.registry.disable("demo-client", "no demo", cause)
    assert (await look())["demo clients"].level == "ok"


async def test_connections_are_not_ok_when_limit_is_too_low(look, database):
    await run_sql(database.superuser_dsn, "ALTER ROLE token_ledger_service CONNECTION LIMIT 40")
    try:
        levels = [(await look(connections_needed=wanted))["connections"].level for wanted in (20, 21, 40, 41)]
    finally:
        await run_sql(database.superuser_dsn, "ALTER ROLE token_ledger_service CONNECTION LIMIT -1")
    assert levels == ["ok", "warning", "warning", "problem"]
    assert (await look(connections_needed=100_000))["connections"].level == "problem"
