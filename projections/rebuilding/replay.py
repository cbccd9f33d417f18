"""Replay a projection up to a point of the log: into a schema to query, or to compare two points."""

from collections.abc import Callable

import asyncpg
from msgspec import Struct

from ledger.postgres.archive.catalogue import ArchiveSource
from ledger.use_cases.audit import PositionBeyondHead
from projections.log_positions import LogPoint, find_settled_position
from projections.projection import Projection
from projections.rebuilding import tables
from projections.rebuilding.builder import Progress, ProjectionBuilder, ignore_progress, read_heads
from projections.rebuilding.comparison import Differences, compare_tables
from projections.rebuilding.connections import BuildConnection, connect, find_live_schema
from projections.rebuilding.errors import BuildRefused

EARLIER = "before_"
"""Prefix of the tables that keep the earlier point."""


class ReplayResult(Struct, frozen=True):
    """The position of a replay. `quoted` is the name of its schema as SQL takes it."""

    position: int
    schema: str
    quoted: str


class ProjectionChanges(Struct, frozen=True):
    """How the rows at position `first` differ from those at position `last`."""

    first: int
    last: int
    differences: Differences


async def replay_projection(
    dsn: str,
    projection: Projection,
    log_id: int,
    *,
    until: LogPoint,
    schema: str,
    progress: Callable[[int], Progress] = ignore_progress,
    archives: ArchiveSource | None = None,
) -> ReplayResult:
    """Create a schema with the projection's tables as of a point, or nothing.

    Raises AheadOfLog, Archived, BuildRefused, InvalidArchive, Unavailable.
    """
    async with connect(dsn) as writer, connect(dsn) as reader:
        live = await find_live_schema(writer)
        position = await resolve_point(reader, log_id, until)
        async with writer.transaction():
            quoted = await _create_schema(writer, schema)
            await tables.make_tables(writer, live, projection, schema)
            await tables.work_in(writer, schema)
            builder = ProjectionBuilder(
                projection, reader=reader, writer=writer, progress=progress(position), archives=archives
            )
            await builder.fill(log_id, 0, position)
            await tables.make_indexes([writer], await tables.missing_indexes(writer, live, projection, schema))
            await tables.analyze(writer, projection, schema)
    return ReplayResult(position, schema, quoted)


async def find_changes(
    dsn: str,
    projection: Projection,
    log_id: int,
    *,
    points: tuple[LogPoint, LogPoint],
    limit: int,
    progress: Callable[[int], Progress] = ignore_progress,
    archives: ArchiveSource | None = None,
) -> ProjectionChanges:
    """Compare a projection at two points, with at most `limit` differences.

    Raises AheadOfLog, Archived, BuildRefused, InvalidArchive, Unavailable.
    """
    async with connect(dsn) as writer, connect(dsn) as reader:
        live = await find_live_schema(writer)
        first, last = [await resolve_point(reader, log_id, point) for point in points]
        if last < first:
            msg = f"position {last} is before {first}: give the earlier point as --from"
            raise BuildRefused(msg)
        await tables.make_tables(writer, live, projection, tables.TEMPORARY)
        await tables.work_in(writer, tables.TEMPORARY)
        builder = ProjectionBuilder(
            projection, reader=reader, writer=writer, progress=progress(last), archives=archives
        )
        async with writer.transaction():
            await builder.fill(log_id, 0, first)
            for table in projection.tables:
                await writer.execute(await writer.fetchval(tables.SQL["copy"], table, EARLIER + table))
            await builder.fill(log_id, first, last)
            await tables.analyze(writer, projection, tables.TEMPORARY)
            earlier, later = (tables.TEMPORARY, EARLIER), (tables.TEMPORARY, "")
            differences = await compare_tables(writer, projection, earlier, later, log_id=log_id, limit=limit)
    return ProjectionChanges(first, last, differences)


async def resolve_point(connection: BuildConnection, log_id: int, point: LogPoint) -> int:
    """Resolve a point to a position. Raises AheadOfLog, Archived, BuildRefused if the log is empty."""
    head = (await read_heads(connection)).get(log_id)
    if head is None:
        msg = "no event was ever recorded in this log"
        raise BuildRefused(msg)
    if not isinstance(point, int):
        return await find_settled_position(connection, log_id, point)
    if point > head:
        raise PositionBeyondHead(point, head)
    return point


async def _create_schema(connection: BuildConnection, schema: str) -> str:
    quoted: str = await connection.fetchval(tables.SQL["quoted"], schema)
    try:
        await connection.execute(f"CREATE SCHEMA {quoted}")
    except asyncpg.DuplicateSchemaError:
        msg = f"Schema {schema} exists. Choose another name, or drop it: DROP SCHEMA {quoted} CASCADE"
        raise BuildRefused(msg) from None
    except (asyncpg.InsufficientPrivilegeError, asyncpg.ReservedNameError) as error:
        msg = f"Schema {schema} cannot be created: {error.args[0]}. Give --owner-dsn, and another name."
        raise BuildRefused(msg) from error
    return quoted
