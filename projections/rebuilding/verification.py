"""Proving that the rows of a projection are what the log says, while the service runs.

The log is folded into temporary tables up to where the live rows are, and the two are compared. All of it is in one
snapshot: the live rows and the position they are at are of one moment. Temporary tables are nobody else's, cost no WAL,
and are gone with the connection, however it ends. Rows that have expired by then may be missing, and no others.
"""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from uuid import UUID

from msgspec import Struct

from ledger.postgres.archive.catalogue import ArchiveSource
from ledger.postgres.statements import load_statements
from projections.projection import Projection
from projections.rebuilding import tables
from projections.rebuilding.builder import Progress, ProjectionBuilder
from projections.rebuilding.comparison import Differences, compare_tables
from projections.rebuilding.connections import BuildConnection, LiveSchema, connect, find_live_schema
from projections.rebuilding.errors import BuildRefused

SQL = load_statements("projections.rebuilding", "log_pages.sql")

PATIENCE_SECONDS = 60.0
"""How long to wait for a projection to come to a position."""

LOOK_SECONDS = 0.1


class ProjectionVerification(Struct, frozen=True, kw_only=True):
    """What came of comparing: `before` of a difference is what the log says, `after` is what was found."""

    projection: str
    positions: Mapping[int, int]
    """Where each log was compared."""

    events: int
    """How many events were looked at: those up to there, or a sample of them."""

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
    progress: Callable[[int], Progress],
    archives: ArchiveSource | None = None,
) -> ProjectionVerification:
    """Compare the live rows of one log, or of all, with a replay up to the position they are at.

    With `at` it waits until they are at that position of the log or beyond it. With `sample` it looks at the streams of
    so many events of each log, chosen at random, and at the tables that have rows of single streams. `progress` is
    given how many events there are to look at, and gives what is told of those done. `archives` is where those of the
    logs are. Raises BuildRefused, InvalidExport, Unavailable.
    """
    started = monotonic()
    async with connect(dsn) as writer, connect(dsn) as reader:
        live = await find_live_schema(writer)
        await check_version(reader, live, projection)
        if sample is not None and not projection.stream_columns:
            msg = f"{projection.name} has no rows that are of one stream each: verify it as a whole, without --sample"
            raise BuildRefused(msg)
        if at is not None:
            await _wait_for(reader, live, projection, log_id, at)
        await tables.make_tables(writer, live, projection, tables.TEMPORARY)
        async with writer.transaction(isolation="repeatable_read"):
            # Before the snapshot is taken: a rebuild that swapped later would leave it with tables it sees no rows of.
            await writer.execute(await writer.fetchval(tables.SQL["share"], live.schema, projection.tables))
            positions = await read_positions(writer, live, projection, log_id)
            await tables.work_in(writer, tables.TEMPORARY)
            archived = {log: await _archived_until(reader, live, log) for log in positions}
            chosen = _choose(positions, sample, archived)
            filling = ProjectionBuilder(
                projection,
                live,
                reader=reader,
                writer=writer,
                progress=progress(sum(map(len, chosen.values()))),
                archives=archives,
            )
            streams = await _fill(filling, positions, chosen, by_sample=sample is not None)
            await tables.analyze(writer, projection, tables.TEMPORARY)
            expected, found = (tables.TEMPORARY, ""), (live.schema, "")
            # The clock after the snapshot: whatever is not in it any more had expired before.
            now = await writer.fetchval(SQL["now"])
            differences = await compare_tables(
                writer, projection, expected, found, log_id=log_id, limit=limit, streams=streams, now=now
            )
    return ProjectionVerification(
        projection=projection.name,
        positions=positions,
        events=sum(map(len, chosen.values())),
        differences=differences,
        seconds=monotonic() - started,
    )


def _choose(
    positions: Mapping[int, int], sample: int | None, archived: Mapping[int, int]
) -> Mapping[int, Sequence[int]]:
    """Of each log the positions to look at; for a sample those that are not archived, whose streams are whole."""
    if sample is None:
        return {log: range(1, position + 1) for log, position in positions.items()}
    left = {log: range(archived[log] + 1, position + 1) for log, position in positions.items()}
    return {log: random.sample(found, min(sample, len(found))) for log, found in left.items()}


async def _archived_until(connection: BuildConnection, live: LiveSchema, log_id: int) -> int:
    rows = await connection.fetch(live(SQL["archives"]), log_id)
    return rows[-1]["last"] if rows else 0


async def _fill(
    filling: ProjectionBuilder, positions: Mapping[int, int], chosen: Mapping[int, Sequence[int]], *, by_sample: bool
) -> Sequence[UUID] | None:
    """Fold each log, or the streams of the positions chosen: then it returns these."""
    if not by_sample:
        for log, position in positions.items():
            await filling.fill(log, 0, position)
        return None
    streams: list[UUID] = []
    for log, position in positions.items():
        streams += await filling.fill_by_sample(log, chosen[log], position)
    return streams


async def read_positions(
    connection: BuildConnection, live: LiveSchema, projection: Projection, log_id: int | None
) -> dict[int, int]:
    """Up to where each log is in the live rows."""
    statement = SQL["heads"] if projection.inline else SQL["checkpoints"]
    arguments = () if projection.inline else (projection.name,)
    rows = await connection.fetch(live(statement), *arguments)
    return {row["log_id"]: row["position"] for row in rows if log_id in {None, row["log_id"]}}


async def check_version(connection: BuildConnection, live: LiveSchema, projection: Projection) -> None:
    """Raises BuildRefused when the live rows are of another version than this release folds."""
    rows = await connection.fetch(live(SQL["versions"]), projection.name)
    for row in rows:
        if row["version"] != projection.version:
            msg = (
                f"The rows of {projection.name} are of version {row['version']}, this release folds "
                f"{projection.version}: they cannot be compared. Run the release of that version, or rebuild."
            )
            raise BuildRefused(msg)


async def _wait_for(
    connection: BuildConnection, live: LiveSchema, projection: Projection, log_id: int | None, position: int
) -> None:
    heads = {row["log_id"]: row["position"] for row in await connection.fetch(live(SQL["heads"]))}
    if log_id is None or heads.get(log_id, 0) < position:
        head = heads.get(log_id or 0, 0)
        msg = f"position {position} is beyond the head of the log, which is at {head}"
        raise BuildRefused(msg)
    deadline = monotonic() + PATIENCE_SECONDS
    while (reached := (await read_positions(connection, live, projection, log_id)).get(log_id, 0)) < position:
        if monotonic() > deadline:
            msg = f"{projection.name} is at position {reached} and does not come to {position}: does a service follow?"
            raise BuildRefused(msg)
        await asyncio.sleep(LOOK_SECONDS)
