"""What a rebuild would do and for how long, found by folding the first events into temporary tables."""

from time import monotonic

from msgspec import Struct

from ledger.postgres.archive.catalogue import ArchiveSource
from ledger.postgres.statements import load_statements
from projections.projection import Projection
from projections.rebuilding import tables
from projections.rebuilding.builder import ProjectionBuilder
from projections.rebuilding.connections import connect, find_live_schema
from projections.rebuilding.rebuild import check

BUILDS = load_statements("projections.rebuilding", "builds.sql")

SAMPLE = 20_000
"""Events that are tried."""


class RebuildEstimate(Struct, frozen=True, kw_only=True):
    """A rebuild that was not done. `bytes` is what the live tables take, and about what a build takes beside them."""

    projection: str
    version: int
    tables: tuple[str, ...]
    bytes: int
    events: int
    resumes_at: int
    sample: int
    seconds: float


async def estimate_rebuild(dsn: str, projection: Projection, archives: ArchiveSource | None = None) -> RebuildEstimate:
    """Look, and try. Raises BuildRefused for what a rebuild would refuse, Unavailable."""
    async with connect(dsn) as writer, connect(dsn) as reader:
        live = await find_live_schema(writer)
        await check(writer, live, projection)
        size = await writer.fetchval(tables.SQL["bytes"], live.schema, projection.tables)
        positions = await writer.fetch(live(BUILDS["positions"]), projection.name)
        done = sum(row["position"] for row in positions)
        await tables.make_tables(writer, live, projection, tables.TEMPORARY)
        await tables.work_in(writer, tables.TEMPORARY)
        filling = ProjectionBuilder(
            projection, live, reader=reader, writer=writer, progress=lambda _: None, archives=archives
        )
        heads = await filling.heads()
        left = SAMPLE
        started = monotonic()
        for log_id, head in heads.items():
            await filling.fill(log_id, 0, min(head, left))
            left -= min(head, left)
        await tables.make_indexes([writer], await tables.missing_indexes(writer, live, projection, tables.TEMPORARY))
        seconds = monotonic() - started
    events, tried = sum(heads.values()), SAMPLE - left
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
