"""Estimate a rebuild by folding the first events into temporary tables."""

from time import monotonic

from msgspec import Struct

from ledger.postgres.archive.catalogue import ArchiveSource
from ledger.postgres.statements import load_statements
from projections.projection import Projection
from projections.rebuilding import tables
from projections.rebuilding.builder import ProjectionBuilder, read_heads
from projections.rebuilding.connections import connect, find_live_schema
from projections.rebuilding.preconditions import check_rebuildable

BUILDS = load_statements("projections.rebuilding", "builds.sql")

SAMPLE_EVENTS = 20_000


class RebuildEstimate(Struct, frozen=True, kw_only=True):
    """A rebuild that was not done. `bytes` is the size of the live tables, and about that of the build."""

    projection: str
    version: int
    tables: tuple[str, ...]
    bytes: int
    events: int
    resumes_at: int
    sample: int
    seconds: float


async def estimate_rebuild(dsn: str, projection: Projection, archives: ArchiveSource | None = None) -> RebuildEstimate:
    """Estimate a rebuild. Raises BuildRefused if a rebuild would be refused, Unavailable."""
    async with connect(dsn) as writer, connect(dsn) as reader:
        live = await find_live_schema(writer)
        await check_rebuildable(writer, live, projection)
        size = await writer.fetchval(tables.SQL["bytes"], live.name, projection.tables)
        positions = await writer.fetch(live.qualify(BUILDS["positions"]), projection.name)
        done = sum(row["position"] for row in positions)
        await tables.make_tables(writer, live, projection, tables.TEMPORARY)
        await tables.work_in(writer, tables.TEMPORARY)
        builder = ProjectionBuilder(projection, reader=reader, writer=writer, archives=archives)
        heads = await read_heads(reader)
        left = SAMPLE_EVENTS
        started = monotonic()
        for log_id, head in heads.items():
            await builder.fill(log_id, 0, min(head, left))
            left -= min(head, left)
        await tables.make_indexes([writer], await tables.missing_indexes(writer, live, projection, tables.TEMPORARY))
        seconds = monotonic() - started
    events, tried = sum(heads.values()), SAMPLE_EVENTS - left
    return RebuildEstimate(
        projection=projection.name,
        version=projection.version,
        tables=projection.tables,
        bytes=size,
        events=events,
        resumes_at=done,
        sample=tried,
        seconds=seconds * max(0, events - done) / max(1, tried),
    )
