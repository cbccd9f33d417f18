"""Rebuild a projection from the log while the service runs.

The log is folded into new tables in a schema of their own, which then replace the live ones. Rows that had expired
before the rebuild began are left out: the expiry sweep would remove them.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic

from msgspec import Struct

from ledger.postgres.archive.catalogue import ArchiveSource
from ledger.postgres.statements import load_statements
from projections.expiry_sweep import GRACE_SECONDS
from projections.projection import Projection
from projections.rebuilding.build import Build
from projections.rebuilding.builder import Progress, ProjectionBuilder, ignore_progress, read_heads
from projections.rebuilding.connections import BuildConnection, LiveSchema, connect, find_live_schema
from projections.rebuilding.errors import AlreadyUpgraded, BuildInProgress
from projections.rebuilding.preconditions import check_rebuildable, is_older, read_stored_versions
from projections.rebuilding.swap import swap_tables

BUILDS = load_statements("projections.rebuilding", "builds.sql")
PAGES = load_statements("projections.rebuilding", "log_pages.sql")

Report = Callable[[str], None]
"""Called with one line for the operator at each phase."""


class RebuildResult(Struct, frozen=True, kw_only=True):
    """`events` of all logs, of which an interrupted build had folded `resumed_at`."""

    projection: str
    version: int
    events: int
    resumed_at: int
    seconds: float
    locked_ms: float


async def rebuild_projection(
    dsn: str,
    projection: Projection,
    *,
    holder: str,
    progress: Callable[[int, int], Progress] = ignore_progress,
    report: Report = lambda _line: None,
    restart: bool = False,
    only_if_older: bool = False,
    archives: ArchiveSource | None = None,
) -> RebuildResult:
    """Rebuild a projection, as the owner of its tables, and swap it in.

    `progress` is called with the events in total and done so far, and returns the callback for the others. Raises
    BuildRefused, InvalidArchive, Unavailable; with `only_if_older` AlreadyUpgraded if the rows are of this version.
    """
    started = monotonic()
    async with connect(dsn) as writer, connect(dsn) as reader:
        live = await find_live_schema(writer)
        await check_rebuildable(writer, live, projection)
        async with _only_builder(writer, live, projection):
            if only_if_older and not is_older(projection, await read_stored_versions(writer, live)):
                raise AlreadyUpgraded(projection.name)
            expired_by = await reader.fetchval(PAGES["now"]) - GRACE_SECONDS
            builder = ProjectionBuilder(
                projection, reader=reader, writer=writer, expired_by=expired_by, archives=archives
            )
            build = Build(live, builder)
            await build.prepare(holder, restart=restart)
            resumed_at = build.done
            builder.progress = progress(sum((await read_heads(reader)).values()), resumed_at)
            if resumed_at:
                report(f"resuming a build that was interrupted at {resumed_at:,} events")
            await build.fill()
            report("all rows are written; creating indexes")
            await build.create_indexes()
            locked = await swap_tables(build, report)
    return RebuildResult(
        projection=projection.name,
        version=projection.version,
        events=build.done,
        resumed_at=resumed_at,
        seconds=monotonic() - started,
        locked_ms=locked * 1000,
    )


@asynccontextmanager
async def _only_builder(connection: BuildConnection, live: LiveSchema, projection: Projection) -> AsyncIterator[None]:
    """Hold the right to build. The lock belongs to the connection, so a killed process releases it."""
    if not await connection.fetchval(BUILDS["only_builder"], projection.name):
        found = await connection.fetchrow(live.qualify(BUILDS["find"]), projection.name)
        by = f" by {found['holder']}, since {found['started_at']:%Y-%m-%d %H:%M:%S} UTC" if found else ""
        msg = f"{projection.name} is being built{by}. Wait until that build has finished, or end that process."
        raise BuildInProgress(msg)
    yield
