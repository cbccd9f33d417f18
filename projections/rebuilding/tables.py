"""Create, index, analyze and move tables like the live ones in another schema."""

import asyncio
from collections.abc import Sequence

from ledger.postgres.statements import load_statements
from projections.projection import Projection
from projections.rebuilding.connections import BuildConnection, LiveSchema

SQL = load_statements("projections.rebuilding", "tables.sql")

TEMPORARY = "pg_temp"
"""The schema of a connection's temporary tables, which end with it."""


async def make_tables(connection: BuildConnection, live: LiveSchema, projection: Projection, schema: str) -> None:
    """Create empty tables, with their keys and the indexes that `fold` needs."""
    for table in projection.tables:
        for row in await connection.fetch(SQL["make"], live.name, table, schema):
            await connection.execute(row["statement"])
    for statement in await missing_indexes(connection, live, projection, schema, only=projection.looked_up_by):
        await connection.execute(statement)


async def work_in(connection: BuildConnection, schema: str) -> None:
    """Make the connection search this schema only, so that `fold` cannot touch live tables."""
    quoted = await connection.fetchval(SQL["quoted"], schema)
    await connection.execute("SELECT set_config('search_path', $1, false)", quoted)


async def missing_indexes(
    connection: BuildConnection,
    live: LiveSchema,
    projection: Projection,
    schema: str,
    only: Sequence[str] | None = None,
) -> list[str]:
    """The statements that create the indexes which only the live tables have yet."""
    statements = []
    for table in projection.tables:
        rows = await connection.fetch(SQL["make_indexes"], live.name, table, schema)
        statements += [row["statement"] for row in rows if only is None or row["name"] in only]
    return statements


async def make_indexes(connections: Sequence[BuildConnection], statements: Sequence[str]) -> None:
    """Create indexes, one at a time on each connection."""
    left = list(reversed(statements))

    async def make(connection: BuildConnection) -> None:
        while left:
            await connection.execute(left.pop())

    await asyncio.gather(*map(make, connections))


async def analyze(connection: BuildConnection, projection: Projection, schema: str) -> None:
    """Update the planner's statistics."""
    for table in projection.tables:
        await connection.execute(await connection.fetchval(SQL["analyze"], schema, table))


async def move_tables(connection: BuildConnection, projection: Projection, source: str, target: str) -> None:
    """Move the tables to another schema, within a transaction."""
    for table in projection.tables:
        await connection.execute(await connection.fetchval(SQL["move"], source, table, target))


async def same_shape(connection: BuildConnection, live: LiveSchema, projection: Projection, schema: str) -> bool:
    """Whether the tables exist and have the columns of the live ones."""
    for table in projection.tables:
        shape = await connection.fetchval(SQL["shape"], schema, table)
        if shape is None or shape != await connection.fetchval(SQL["shape"], live.name, table):
            return False
    return True
