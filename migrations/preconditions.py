"""What must hold before a migration runs: the server's version and the two roles. Each failure says what to do."""

from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    AsyncpgConnection = asyncpg.Connection[asyncpg.Record]  # takes a parameter for a type checker only
else:
    AsyncpgConnection = asyncpg.Connection

OLDEST_POSTGRES = 15
"""The oldest PostgreSQL major version that is supported."""

ROLES = """
SELECT current_user AS owner,
       current_database() AS database,
       current_schema() AS schema,
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create,
       (SELECT pg_has_role(r.oid, current_user, 'MEMBER') FROM pg_roles r WHERE r.rolname = $1) AS service_is_owner
"""


class MigrationError(Exception):
    """The migrations cannot run here. The message says why and what to do; nothing was changed."""


class PostgresTooOld(MigrationError):
    """The server is older than the oldest version supported."""

    def __init__(self, major: int, minor: int) -> None:
        super().__init__(
            f"The server runs PostgreSQL {major}.{minor}; the ledger needs {OLDEST_POSTGRES} or later. "
            "Upgrade the server."
        )


class ServiceRoleMissing(MigrationError):
    """The role the service connects as does not exist."""

    def __init__(self, role: str) -> None:
        super().__init__(
            f"The service's role {role!r} does not exist. It is made once, by an administrator of the server:\n"
            f"    CREATE ROLE {quoted(role)} LOGIN PASSWORD '…';\n"
            "Then run the migrations again, as the owner of the database."
        )


class ServiceRoleTooPowerful(MigrationError):
    """The role the service connects as could undo what its privileges forbid."""

    def __init__(self, role: str, owner: str) -> None:
        super().__init__(
            f"The service's role {role!r} has the rights of {owner!r}, who would own the tables: the log would not be "
            "append-only. Run the migrations as another role than the service's, and let the service's role be no "
            "superuser and no member of the owner."
        )


class OwnerMayNotCreate(MigrationError):
    """The role that runs the migrations may not create tables."""

    def __init__(self, owner: str, database: str, schema: str | None) -> None:
        super().__init__(
            f"The role {owner!r} may not create tables in schema {schema or '(none)'!r} of database {database!r}. "
            "Make it the owner, as an administrator of the server:\n"
            f"    ALTER DATABASE {quoted(database)} OWNER TO {quoted(owner)};"
        )


async def check_server(connection: "asyncpg.Connection[asyncpg.Record]", service_role: str) -> None:
    """Raises the MigrationError that tells what is amiss with the server or its roles."""
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
    if version.major < OLDEST_POSTGRES:
        raise PostgresTooOld(version.major, version.minor)


def quoted(identifier: str) -> str:
    """An SQL identifier in quotes."""
    return '"' + identifier.replace('"', '""') + '"'
