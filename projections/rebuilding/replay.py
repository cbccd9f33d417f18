"""A projection as it was at a point of the log: in a schema to query, or compared with how it was at another point."""

from collections.abc import Callable
from datetime import datetime

import asyncpg
from msgspec import Struct

from ledger.postgres.archive.catalogue import ArchiveSource, find_position_at
from ledger.postgres.statements import load_statements
from projections.projection import Projection
from projections.rebuilding import tables
from projections.rebuilding.builder import Progress, ProjectionBuilder
from projections.rebuilding.comparison import Differences, compare_tables
from projections.rebuilding.connections import BuildConnection, LiveSchema, connect, find_live_schema
from projections.rebuilding.errors import BuildRefused

SQL = load_statements("projections.rebuilding", "replays.sql")

BEFORE = "before_"
"""What stands in front of the names of the tables that keep the earlier point."""

LogPoint = int | datetime
"""A position of a log, or an instant: then the newest position recorded by then."""


class ReplayResult(Struct, frozen=True):
    """Up to which position the tables of the schema are. `quoted` is the schema as SQL takes it."""

    position: int
    schema: str
    quoted: str


class ProjectionChanges(Struct, frozen=True):
    """What changed in a projection between two positions: `before` and `after` are how rows were at each."""

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
    progress: Callable[[int], Progress],
    archives: ArchiveSource | None = None,
) -> ReplayResult:
    """Make a schema with the projection's tables as they were at a point of a log: all of it or nothing.

    Raises BuildRefused, Archived, InvalidExport, Unavailable.
    """
    async with connect(dsn) as writer, connect(dsn) as reader:
        live = await find_live_schema(writer)
        position = await position_of(reader, live, log_id, until)
        async with writer.transaction():
            quoted = await _create(writer, schema)
            await tables.make_tables(writer, live, projection, schema)
            await tables.work_in(writer, schema)
            filling = ProjectionBuilder(
                projection, live, reader=reader, writer=writer, progress=progress(position), archives=archives
            )
            await filling.fill(log_id, 0, position)
            missing = await tables.missing_indexes(writer, live, projection, schema)
            await tables.make_indexes([writer], missing)
            await tables.analyze(writer, projection, schema)
    return ReplayResult(position, schema, quoted)


async def find_changes(
    dsn: str,
    projection: Projection,
    log_id: int,
    *,
    points: tuple[LogPoint, LogPoint],
    limit: int,
    progress: Callable[[int], Progress],
    archives: ArchiveSource | None = None,
) -> ProjectionChanges:
    """What is different in a projection at the second point from how it was at the first.

    Raises BuildRefused, Archived, InvalidExport, Unavailable.
    """
    async with connect(dsn) as writer, connect(dsn) as reader:
        live = await find_live_schema(writer)
        first, last = [await position_of(reader, live, log_id, point) for point in points]
        if last < first:
            msg = f"position {last} comes before {first}: give the earlier point as --from"
            raise BuildRefused(msg)
        await tables.make_tables(writer, live, projection, tables.TEMPORARY)
        await tables.work_in(writer, tables.TEMPORARY)
        filling = ProjectionBuilder(
            projection, live, reader=reader, writer=writer, progress=progress(last), archives=archives
        )
        async with writer.transaction():
            await filling.fill(log_id, 0, first)
            for table in projection.tables:
                await writer.execute(await writer.fetchval(SQL["keep"], table, BEFORE + table))
            await filling.fill(log_id, first, last)
            await tables.analyze(writer, projection, tables.TEMPORARY)
            earlier, later = (tables.TEMPORARY, BEFORE), (tables.TEMPORARY, "")
            differences = await compare_tables(writer, projection, earlier, later, log_id=log_id, limit=limit)
    return ProjectionChanges(first, last, differences)


async def position_of(connection: BuildConnection, live: LiveSchema, log_id: int, point: LogPoint) -> int:
    """The position of a point. Raises BuildRefused if it is beyond the head, Archived if it is too old."""
    now = await connection.fetchrow(live(SQL["now"]), log_id)
    if now is None:
        msg = "nothing was ever recorded in this log"
        raise BuildRefused(msg)
    if isinstance(point, int):
        if point > now["position"]:
            msg = f"position {point} is beyond the head of the log, which is at {now['position']}"
            raise BuildRefused(msg)
        return point
    if point > now["now"]:
        msg = f"{point.isoformat()} is in the future: it is {now['now'].isoformat()} at the database"
        raise BuildRefused(msg)
    if point >= now["recorded_at"]:
        # A batch under way may yet be recorded at an instant before this one.
        await connection.fetch(live(SQL["settle"]), log_id)
    return await find_position_at(connection, log_id, point)


async def _create(connection: BuildConnection, schema: str) -> str:
    quoted: str = await connection.fetchval(tables.SQL["quoted"], schema)
    try:
        await connection.execute(f"CREATE SCHEMA {quoted}")
    except asyncpg.DuplicateSchemaError:
        msg = f"There is a schema {schema} already. Name another, or drop it: DROP SCHEMA {quoted} CASCADE"
        raise BuildRefused(msg) from None
    except (asyncpg.InsufficientPrivilegeError, asyncpg.ReservedNameError) as error:
        msg = f"The schema {schema} cannot be made: {error.args[0]}. Give --owner-dsn, and a name of your own."
        raise BuildRefused(msg) from error
    return quoted
