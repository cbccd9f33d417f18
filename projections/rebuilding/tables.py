"""Tables like the live ones, in another schema: made, filled by the projection itself, moved."""

import asyncio
from collections.abc import Sequence

from ledger.postgres.statements import load_statements
from projections.projection import Projection
from projections.rebuilding.connections import BuildConnection, LiveSchema

SQL = load_statements("projections.rebuilding", "tables.sql")

TEMPORARY = "pg_temp"
"""The schema of a connection's own tables: nobody else sees them, and they are gone with the connection."""


async def make_tables(connection: BuildConnection, live: LiveSchema, projection: Projection, schema: str) -> None:
    """Empty tables, with their keys and the indexes that the fold looks rows up by.

    From here on the connection finds no other tables by their names alone, so the fold cannot touch live ones.
    """
    for table in projection.tables:
        for row in await connection.fetch(SQL["make"], live.schema, table, schema):
            await connection.execute(row["statement"])
    for statement in await missing_indexes(connection, live, projection, schema, only=projection.looked_up_by):
        await connection.execute(statement)


async def work_in(connection: BuildConnection, schema: str) -> None:
    """Have the connection find no tables but those of this schema by their names alone."""
    quoted = await connection.fetchval(SQL["quoted"], schema)
    await connection.execute("SELECT set_config('search_path', $1, false)", quoted)


async def missing_indexes(
    connection: BuildConnection,
    live: LiveSchema,
    projection: Projection,
    schema: str,
    only: Sequence[str] | None = None,
) -> list[str]:
    """The statements that make the indexes the live tables have and these have not."""
    statements = []
    for table in projection.tables:
        rows = await connection.fetch(SQL["make_indexes"], live.schema, table, schema)
        statements += [row["statement"] for row in rows if only is None or row["name"] in only]
    return statements


async def make_indexes(connections: Sequence[BuildConnection], statements: Sequence[str]) -> None:
    """Make indexes, one on each connection at a time."""
    left = list(reversed(statements))

    async def make(connection: BuildConnection) -> None:
        while left:
            await connection.execute(left.pop())

    await asyncio.gather(*map(make, connections))


async def analyze(connection: BuildConnection, projection: Projection, schema: str) -> None:
    """Tell the planner what is in the tables."""
    for table in projection.tables:
        await connection.execute(await connection.fetchval(SQL["analyze"], schema, table))


async def move_tables(connection: BuildConnection, projection: Projection, source: str, target: str) -> None:
    """Within a transaction: move the tables, with all that belongs to them, to another schema."""
    for table in projection.tables:
        await connection.execute(await connection.fetchval(SQL["move"], source, table, target))


async def same_shape(connection: BuildConnection, live: LiveSchema, projection: Projection, schema: str) -> bool:
    """Whether the tables are there and have the columns of the live ones."""
    for table in projection.tables:
        ours = await connection.fetchval(SQL["shape"], schema, table)
        if ours is None or ours != await connection.fetchval(SQL["shape"], live.schema, table):
            return False
    return True
