"""Privileges make the log append-only: what the service's role can do, and what it is refused."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.databases import OWNER, SERVICE, connect

INSERT_EVENT = """
INSERT INTO event_log (log_id, position, recorded_at, stream_id, stream_version, schema_version, topic, payload)
VALUES (1, 1, now(), gen_random_uuid(), 1, 1, 'token.issued', '{}')
"""

PRIVILEGES = {
    "active_tokens": {"SELECT", "INSERT", "DELETE"},
    "alembic_version": {"SELECT"},
    "clients": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "event_log": {"SELECT", "INSERT"},
    "expiry_sweep": {"SELECT", "UPDATE"},
    "log_archives": {"SELECT"},
    "log_head": {"SELECT", "INSERT", "UPDATE"},
    "logs": {"SELECT", "INSERT"},
    "projection_build_positions": {"SELECT"},
    "projection_builds": {"SELECT"},
    "projection_checkpoints": {"SELECT", "INSERT", "UPDATE"},
    "projection_skips": {"SELECT", "INSERT"},
    "projection_versions": {"SELECT"},
    "token_activity": {"SELECT", "INSERT", "UPDATE"},
    "token_history": {"SELECT", "INSERT", "UPDATE"},
}

REFUSED = [
    "UPDATE event_log SET payload = ''",
    "UPDATE event_log SET recorded_at = now() WHERE position = 1",
    "DELETE FROM event_log",
    "DELETE FROM event_log WHERE position = 1",
    "TRUNCATE event_log",
    "SELECT * FROM event_log FOR UPDATE",
    f"{INSERT_EVENT} ON CONFLICT (log_id, position) DO UPDATE SET payload = ''",
    "MERGE INTO event_log USING (SELECT 1) AS s ON true WHEN MATCHED THEN DELETE",
    "ALTER TABLE event_log DROP COLUMN payload",
    "ALTER TABLE event_log DISABLE TRIGGER ALL",
    f"ALTER TABLE event_log OWNER TO {SERVICE}",
    "DROP TABLE event_log",
    "CREATE RULE forget AS ON INSERT TO event_log DO INSTEAD NOTHING",
    "CREATE TRIGGER forget BEFORE INSERT ON event_log EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE INDEX ON event_log (payload)",
    "DROP INDEX event_log_pkey",
    f"SET ROLE {OWNER}",
    "SET session_replication_role = replica",
    "DELETE FROM log_head",
    "DROP TABLE log_head",
    "CREATE TABLE mine (it text)",
    "CREATE SCHEMA mine",
    "DROP SCHEMA public",
    "CREATE ROLE mine",
    "COPY event_log TO PROGRAM 'cat'",
]


@pytest.fixture
async def owner(database) -> AsyncIterator[asyncpg.Connection]:
    async with connect(database.owner_dsn) as connection:
        yield connection


@pytest.fixture
async def service(database) -> AsyncIterator[asyncpg.Connection]:
    async with connect(database.service_dsn) as connection:
        yield connection


@pytest.mark.parametrize("statement", REFUSED)
async def test_service_is_refused_a_forbidden_statement(service, owner, statement):
    await owner.execute(INSERT_EVENT)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await service.execute(statement)


async def test_service_has_exactly_these_privileges(service):
    tables = await service.fetch(
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
    assert {table["name"]: set(table["privileges"] or ()) for table in tables} == PRIVILEGES


async def test_service_cannot_grant_itself_privileges(service):
    await service.execute(f"GRANT ALL ON event_log TO {SERVICE}")  # PostgreSQL warns, and grants nothing
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await service.execute("DELETE FROM event_log")


async def test_no_privilege_is_grantable(owner):
    grantable = """
    SELECT count(*) FROM pg_class c, aclexplode(c.relacl) a
     WHERE c.relnamespace = 'public'::regnamespace AND a.is_grantable AND a.grantee <> c.relowner
    """
    assert await owner.fetchval(grantable) == 0


@pytest.mark.parametrize("attribute", ["rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication", "rolbypassrls"])
@pytest.mark.parametrize("role", [OWNER, SERVICE])
async def test_role_has_no_administrative_attribute(owner, role, attribute):
    row = await owner.fetchrow("SELECT * FROM pg_roles WHERE rolname = $1", role)
    assert row[attribute] is False


async def test_service_is_not_a_member_of_the_owner(owner):
    assert await owner.fetchval("SELECT pg_has_role($1::name, $2::name, 'MEMBER')", SERVICE, OWNER) is False
