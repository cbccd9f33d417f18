"""Privileges make the log append-only: what the service's role can do, and what it is refused."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from migrations.runner import upgrade
from tests.databases import OWNER, PROJECTOR, SERVICE, connect, run_sql
from tests.integration.conftest import CAUSE, register_client

READS = {"SELECT"}
PRIVILEGES = {
    "active_tokens": READS,
    "alembic_version": READS,
    "clients": READS,
    "event_index": READS,
    "event_log": READS,
    "expiry_sweep": READS,
    "log_archives": READS,
    "log_head": READS,
    "logs": READS,
    "projection_build_positions": READS,
    "projection_builds": READS,
    "projection_checkpoints": READS,
    "projection_skips": READS,
    "projection_versions": READS,
    "token_activity": READS,
    "token_history": READS,
    "view_checks": READS,
}
CATCH_UP = {
    "event_index": {"SELECT", "INSERT"},
    "projection_checkpoints": {"SELECT", "INSERT", "UPDATE"},
    "projection_skips": {"SELECT", "INSERT"},
    "token_activity": {"SELECT", "INSERT", "UPDATE"},
    "token_history": {"SELECT", "INSERT", "UPDATE"},
}
FUNCTIONS = {
    "append_events",
    "create_log",
    "find_recorded_events",
    "record_view_check",
    "sweep_expired_tokens",
    "take_view_check",
    "wait_for_append",
}

FAKE_TOKEN = (
    "INSERT INTO active_tokens SELECT log_id, sha256('x'), jti, 'c', 'c', '', '{c}', 1, 9999999999 FROM active_tokens"
)
FAKE_EVENT = """
INSERT INTO event_log (log_id, position, recorded_at, stream_id, stream_version, schema_version, topic, payload, actor)
VALUES (1, 2, '2001-01-01', gen_random_uuid(), 1, 1, 'token.issued', '{}', 'operator:ceo')
"""

REFUSED = [
    FAKE_TOKEN,
    FAKE_EVENT,
    "UPDATE active_tokens SET expires_at = 9999999999",
    "DELETE FROM active_tokens",
    "UPDATE clients SET document = document || '{\"secrets\": []}'",
    "INSERT INTO clients VALUES (1, 'planted', 1, '{}')",
    "UPDATE log_head SET position = 0",
    "INSERT INTO log_head VALUES (7, 0, now())",
    "INSERT INTO logs VALUES ('planted', 7, now())",
    "UPDATE projection_versions SET version = 2",
    "UPDATE expiry_sweep SET due_at = 'infinity'",
    "UPDATE view_checks SET differences = 0",
    "UPDATE event_log SET payload = ''",
    "DELETE FROM event_log",
    "TRUNCATE event_log",
    "SELECT * FROM event_log FOR UPDATE",
    "SELECT * FROM log_head FOR SHARE",
    "MERGE INTO event_log USING (SELECT 1) AS s ON true WHEN MATCHED THEN DELETE",
    "ALTER TABLE event_log DISABLE TRIGGER ALL",
    f"ALTER TABLE event_log OWNER TO {SERVICE}",
    "DROP TABLE log_head",
    "CREATE RULE forget AS ON INSERT TO event_log DO INSTEAD NOTHING",
    "CREATE INDEX ON event_log (payload)",
    f"SET ROLE {OWNER}",
    f"SET ROLE {PROJECTOR}",
    "SET session_replication_role = replica",
    "SELECT fold_active_tokens(1, 0, 1)",
    "SELECT fold_clients(1, 0, 1)",
    "CREATE OR REPLACE FUNCTION wait_for_append(p_log_id integer) RETURNS void LANGUAGE sql AS ''",
    "ALTER FUNCTION append_events RESET search_path",
    "CREATE TABLE mine (it text)",
    "CREATE SCHEMA mine",
    "CREATE ROLE mine",
    "COPY event_log TO PROGRAM 'cat'",
]


@pytest.fixture
async def owner(database) -> AsyncIterator[asyncpg.Connection]:
    async with connect(database.owner_dsn) as connection:
        yield connection


@pytest.fixture
async def as_service(database) -> AsyncIterator[asyncpg.Connection]:
    """A connection with the service's password, in whatever hands it is."""
    async with connect(database.service_dsn) as connection:
        yield connection


@pytest.fixture
async def projector(database, owner) -> AsyncIterator[asyncpg.Connection]:
    """The role of the projector, in a database whose migration knew of it."""
    await upgrade(database.owner_dsn, finish=True)
    async with connect(database.projector_dsn) as connection:
        yield connection


@pytest.mark.parametrize("statement", REFUSED)
async def test_service_is_refused_a_forbidden_statement(as_service, issuer, client, statement):
    await issuer.issuance.issue_token(client, None, CAUSE)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await as_service.execute(statement)


@pytest.mark.parametrize("statement", [FAKE_TOKEN, FAKE_EVENT, "DELETE FROM token_history", "SELECT create_log('x')"])
async def test_projector_is_refused_a_forbidden_statement(projector, issuer, client, statement):
    await issuer.issuance.issue_token(client, None, CAUSE)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await projector.execute(statement)


async def test_service_rewrites_no_history_when_the_projector_exists(projector, as_service):
    for change in ("UPDATE token_history SET revoked_by = NULL", "UPDATE projection_checkpoints SET error = NULL"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await as_service.execute(change)
        await projector.execute(change)


async def read_privileges(connection) -> dict[str, set[str]]:
    tables = await connection.fetch(
        """
        SELECT c.relname AS name, array_agg(p) FILTER (
                   WHERE has_table_privilege(c.oid, p)
                      OR (p = ANY ('{SELECT,INSERT,UPDATE,REFERENCES}') AND has_any_column_privilege(c.oid, p))
               ) AS privileges
          FROM pg_class c,
               unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
         GROUP BY c.relname
        """
    )
    return {table["name"]: set(table["privileges"] or ()) for table in tables}


async def read_functions(connection) -> set[str]:
    rows = await connection.fetch(
        """
        SELECT proname FROM pg_proc
         WHERE pronamespace = 'public'::regnamespace AND has_function_privilege(oid, 'EXECUTE')
        """
    )
    return {row["proname"] for row in rows}


async def test_service_also_writes_catch_up_tables_when_there_is_no_projector(as_service):
    assert await read_privileges(as_service) == PRIVILEGES | CATCH_UP
    assert await read_functions(as_service) == FUNCTIONS


async def test_roles_have_exactly_these_privileges_when_the_projector_exists(as_service, projector):
    assert await read_privileges(as_service) == PRIVILEGES
    assert await read_functions(as_service) == FUNCTIONS
    assert await read_privileges(projector) == PRIVILEGES | CATCH_UP
    assert await read_functions(projector) == set()


async def test_older_release_keeps_its_privileges_until_finish(empty_database):
    """`migrate` of an upgrade only adds: processes of both releases run."""
    await upgrade(empty_database.owner_dsn, projector_role="no-such-role")
    grant = f"GRANT INSERT ON event_log TO {SERVICE}"  # as revision 0001 did for the older release
    await run_sql(empty_database.owner_dsn, grant)
    async with connect(empty_database.service_dsn) as connection:
        await upgrade(empty_database.owner_dsn, projector_role="no-such-role")
        assert await read_privileges(connection) == PRIVILEGES | CATCH_UP | {"event_log": {"SELECT", "INSERT"}}
        await upgrade(empty_database.owner_dsn, projector_role="no-such-role", finish=True)
        assert await read_privileges(connection) == PRIVILEGES | CATCH_UP


async def test_restricted_service_is_not_ready_when_its_role_owns_the_log(database, start_process):
    (problem,) = await (await start_process(database.owner_dsn, restricted=True)).problems()
    assert "could change recorded events" in problem
    assert await (await start_process(database.service_dsn, restricted=True)).problems() == []


async def test_projections_are_followed_by_the_projector(database, projector, start_process):
    service = await start_process(projector_dsn=database.projector_dsn)
    client = await register_client(service.issuers[0])
    issued = await service.issuers[0].issuance.issue_token(client, None, CAUSE)
    await service.catch_up()
    assert await projector.fetchval("SELECT jti FROM token_history") == issued.grant_id
    without = await start_process()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await without.catch_up()


async def test_service_cannot_grant_itself_privileges(as_service):
    await as_service.execute(f"GRANT ALL ON event_log TO {SERVICE}")  # PostgreSQL warns, and grants nothing
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await as_service.execute("DELETE FROM event_log")


async def test_no_privilege_is_grantable(owner):
    grantable = """
    SELECT count(*) FROM pg_class c, aclexplode(c.relacl) a
     WHERE c.relnamespace = 'public'::regnamespace AND a.is_grantable AND a.grantee <> c.relowner
    """
    assert await owner.fetchval(grantable) == 0


@pytest.mark.parametrize("attribute", ["rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication", "rolbypassrls"])
@pytest.mark.parametrize("role", [OWNER, SERVICE, PROJECTOR])
async def test_role_has_no_administrative_attribute(owner, role, attribute):
    row = await owner.fetchrow("SELECT * FROM pg_roles WHERE rolname = $1", role)
    assert row[attribute] is False


async def test_service_is_not_a_member_of_the_owner(owner):
    assert await owner.fetchval("SELECT pg_has_role($1::name, $2::name, 'MEMBER')", SERVICE, OWNER) is False
