"""Verify that the live rows of a projection match the log, while the service runs.

The log is folded into temporary tables up to the position of the live rows, and the two are compared. One snapshot
covers the live rows and their position. Temporary tables are private, cost no WAL, and end with the connection.
"""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from uuid import UUID

from msgspec import Struct

from ledger.postgres.archive.catalogue import ArchiveSource, read_archived_until
from ledger.postgres.statements import load_statements
from ledger.use_cases.audit import PositionBeyondHead
from projections.projection import Projection
from projections.rebuilding import tables
from projections.rebuilding.builder import Progress, ProjectionBuilder, ignore_progress, read_heads
from projections.rebuilding.comparison import Differences, compare_tables
from projections.rebuilding.connections import BuildConnection, connect, find_live_schema
from projections.rebuilding.errors import BuildRefused
from projections.rebuilding.preconditions import check_same_version

SQL = load_statements("projections.rebuilding", "log_pages.sql")

CATCH_UP_TIMEOUT_SECONDS = 60.0
POLL_SECONDS = 0.1


class ProjectionVerification(Struct, frozen=True, kw_only=True):
    """The result of a verification, at the position in each log.

    `events` counts the events up to there, or those of the sample. In a difference `before` is what the log says and
    `after` is the live row.
    """

    projection: str
    positions: Mapping[int, int]
    events: int
    differences: Differences
    seconds: float

    @property
    def equal(self) -> bool:
        """Whether every row is what the log says."""
        return self.differences.count == 0


async def verify_projection(
    dsn: str,
    projection: Projection,
    *,
    log_id: int | None = None,
    at: int | None = None,
    sample: int | None = None,
    limit: int,
    progress: Callable[[int], Progress] = ignore_progress,
    archives: ArchiveSource | None = None,
) -> ProjectionVerification:
    """Compare the live rows of one log, or of all, with a replay up to their position.

    `at` waits until the projection has reached that position of the log. `sample` verifies only the streams of that
    many random events of each log, in tables whose rows belong to one stream each. Rows that have expired may be
    missing. `progress` is called with the number of events.

    Raises AheadOfLog, BuildRefused, InvalidArchive, Unavailable.
    """
    started = monotonic()
    async with connect(dsn) as writer, connect(dsn) as reader:
        live = await find_live_schema(writer)
        await check_same_version(reader, live, projection)
        if sample is not None and not projection.stream_columns:
            msg = f"{projection.name} has no rows that belong to one stream each: verify it without --sample"
            raise BuildRefused(msg)
        if at is not None:
            await _wait_for(reader, projection, log_id, at)
        await tables.make_tables(writer, live, projection, tables.TEMPORARY)
        async with writer.transaction(isolation="repeatable_read"):
            # Lock before the snapshot: it would see the tables of a later swap without their rows.
            await writer.execute(await writer.fetchval(tables.SQL["share"], live.name, projection.tables))
            positions = await _read_positions(writer, projection, log_id)
            await tables.work_in(writer, tables.TEMPORARY)
            archived = {log: await read_archived_until(reader, log) for log in positions}
            chosen = _choose_positions(positions, sample, archived)
            events = sum(map(len, chosen.values()))
            builder = ProjectionBuilder(
                projection, reader=reader, writer=writer, progress=progress(events), archives=archives
            )
            streams = await _fill(builder, positions, None if sample is None else chosen)
            await tables.analyze(writer, projection, tables.TEMPORARY)
            expected, found = (tables.TEMPORARY, ""), (live.name, "")
            # Read the clock after the snapshot: rows missing from it had expired before.
            now = await writer.fetchval(SQL["now"])
            differences = await compare_tables(
                writer, projection, expected, found, log_id=log_id, limit=limit, streams=streams, now=now
            )
    return ProjectionVerification(
        projection=projection.name,
        positions=positions,
        events=events,
        differences=differences,
        seconds=monotonic() - started,
    )


async def _fill(
    builder: ProjectionBuilder, positions: Mapping[int, int], sample: Mapping[int, Sequence[int]] | None
) -> Sequence[UUID] | None:
    """Fold each log, or the streams of a sample, which are returned."""
    if sample is None:
        for log, position in positions.items():
            await builder.fill(log, 0, position)
        return None
    return [s for log, position in positions.items() for s in await builder.fill_streams(log, sample[log], position)]


def _choose_positions(
    positions: Mapping[int, int], sample: int | None, archived: Mapping[int, int]
) -> Mapping[int, Sequence[int]]:
    """Choose the positions to verify in each log. A sample omits archived ones: their streams may be incomplete."""
    if sample is None:
        return {log: range(1, position + 1) for log, position in positions.items()}
    left = {log: range(archived[log] + 1, position + 1) for log, position in positions.items()}
    return {log: random.sample(found, min(sample, len(found))) for log, found in left.items()}


async def _read_positions(connection: BuildConnection, projection: Projection, log_id: int | None) -> dict[int, int]:
    """Read the position of the live rows in each log."""
    if projection.inline:
        found = await read_heads(connection)
    else:
        rows = await connection.fetch(SQL["checkpoints"], projection.name)
        found = {row["log_id"]: row["position"] for row in rows}
    return {log: position for log, position in found.items() if log_id in {None, log}}


async def _wait_for(connection: BuildConnection, projection: Projection, log_id: int | None, position: int) -> None:
    head = 0 if log_id is None else (await read_heads(connection)).get(log_id, 0)
    if log_id is None or head < position:
        raise PositionBeyondHead(position, head)
    deadline = monotonic() + CATCH_UP_TIMEOUT_SECONDS
    while (reached := (await _read_positions(connection, projection, log_id)).get(log_id, 0)) < position:
        if monotonic() > deadline:
            msg = f"{projection.name} is at position {reached} and does not reach {position}: does a service follow it?"
            raise BuildRefused(msg)
        await asyncio.sleep(POLL_SECONDS)
