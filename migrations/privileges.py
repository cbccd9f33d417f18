"""What each role may do in the end: the service calls functions and reads, the projector writes catch-up projections.

During an upgrade, processes of the older release still run, and they write tables themselves. So `migrate` only adds
privileges, and `migrate --finish` takes away what the functions replaced. A new database is finished at once.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from migrations.preconditions import quote_identifier

if TYPE_CHECKING:
    import asyncpg

READ_TABLES = (
    "active_tokens",
    "alembic_version",
    "clients",
    "event_index",
    "event_log",
    "expiry_sweep",
    "log_archives",
    "log_head",
    "logs",
    "projection_build_positions",
    "projection_builds",
    "projection_checkpoints",
    "projection_skips",
    "projection_versions",
    "token_activity",
    "token_history",
    "view_checks",
)
"""Every table: both roles may read them all."""

PROJECTOR_TABLES = {
    "event_index": "INSERT",
    "projection_checkpoints": "INSERT, UPDATE",
    "projection_skips": "INSERT",
    "token_activity": "INSERT, UPDATE",
    "token_history": "INSERT, UPDATE",
}
"""What catch-up projections need besides. Without a role of their own the service's role has these privileges too."""

SERVICE_FUNCTIONS = (
    "append_events",
    "create_log",
    "find_recorded_events",
    "record_view_check",
    "sweep_expired_tokens",
    "take_view_check",
    "wait_for_append",
)
"""What the service calls instead of writing tables."""

WRITES = "INSERT, UPDATE, DELETE, TRUNCATE"


async def set_privileges(
    connection: "asyncpg.Connection[asyncpg.Record]", *, service_role: str, projector_role: str, finish: bool
) -> None:
    """Grant each role what it needs. With `finish`, revoke every write privilege that it does not need."""
    projector = await connection.fetchval("SELECT rolname FROM pg_roles WHERE rolname = $1", projector_role)
    schema = quote_identifier(await connection.fetchval("SELECT current_schema()"))
    service, writer = quote_identifier(service_role), quote_identifier(projector or service_role)

    def qualified(names: Iterable[str]) -> str:
        return ", ".join(f"{schema}.{quote_identifier(name)}" for name in names)

    async with connection.transaction():
        if finish:
            await connection.execute(f"REVOKE {WRITES} ON {qualified(READ_TABLES)} FROM {service}, {writer}")
        await connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO {service}, {writer}")
        await connection.execute(f"GRANT SELECT ON {qualified(READ_TABLES)} TO {service}, {writer}")
        await connection.execute(f"GRANT EXECUTE ON FUNCTION {qualified(SERVICE_FUNCTIONS)} TO {service}")
        for table, privileges in PROJECTOR_TABLES.items():
            await connection.execute(f"GRANT {privileges} ON {qualified([table])} TO {writer}")
