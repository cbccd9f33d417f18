"""Check the server's version and the two roles before a migration. Each error says what to do."""

import asyncpg

MIN_POSTGRES_VERSION = 15

ROLES = """
SELECT current_user AS owner,
       current_database() AS database,
       current_schema() AS schema,
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create,
       (SELECT pg_has_role(r.oid, current_user, 'MEMBER') FROM pg_roles r WHERE r.rolname = $1) AS service_is_owner
"""


class MigrationError(Exception):
    """The migrations cannot run. Nothing was changed."""


class PostgresTooOld(MigrationError):
    """The server is older than MIN_POSTGRES_VERSION."""

    def __init__(self, major: int, minor: int) -> None:
        super().__init__(
            f"The server runs PostgreSQL {major}.{minor}; the ledger needs {MIN_POSTGRES_VERSION} or later. "
            "Upgrade the server."
        )


class ServiceRoleMissing(MigrationError):
    """The service's role does not exist."""

    def __init__(self, role: str) -> None:
        super().__init__(
            f"The service's role {role!r} does not exist. An administrator of the server creates it once:\n"
            f"    CREATE ROLE {quote_identifier(role)} LOGIN PASSWORD '…';\n"
            "Then run the migrations again, as the owner of the database."
        )


class ServiceRoleTooPowerful(MigrationError):
    """The service's role has the rights of the owner, so the log would not be append-only."""

    def __init__(self, role: str, owner: str) -> None:
        super().__init__(
            f"The service's role {role!r} has the rights of {owner!r}, the owner of the tables, so the log would not "
            "be append-only. Run the migrations as a different role. The service's role must not be a superuser or a "
            "member of the owner."
        )


class OwnerMayNotCreate(MigrationError):
    """The role that runs the migrations cannot create tables."""

    def __init__(self, owner: str, database: str, schema: str | None) -> None:
        super().__init__(
            f"The role {owner!r} cannot create tables in schema {schema or '(none)'!r} of database {database!r}. "
            "Make it the owner, as an administrator of the server:\n"
            f"    ALTER DATABASE {quote_identifier(database)} OWNER TO {quote_identifier(owner)};"
        )


async def check_server(connection: "asyncpg.Connection[asyncpg.Record]", service_role: str) -> None:
    """Raises a MigrationError if the server or its roles are unsuitable."""
    check_version(connection.get_server_version())
    row = await connection.fetchrow(ROLES, service_role)
    assert row is not None, "a SELECT without FROM has one row"
    if row["service_is_owner"] is None:
        raise ServiceRoleMissing(service_role)
    if row["service_is_owner"]:
        raise ServiceRoleTooPowerful(service_role, row["owner"])
    if not row["may_create"]:
        raise OwnerMayNotCreate(row["owner"], row["database"], row["schema"])


def check_version(version: asyncpg.ServerVersion) -> None:
    """Raises PostgresTooOld."""
    if version.major < MIN_POSTGRES_VERSION:
        raise PostgresTooOld(version.major, version.minor)


def quote_identifier(identifier: str) -> str:
    """Quote an SQL identifier."""
    return '"' + identifier.replace('"', '""') + '"'
