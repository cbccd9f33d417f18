"""Building a projection anew beside its live tables, and putting it in their place.

The tables are made in a schema of their own, where the projection folds every log into them from its first event. How
far it is commits with the rows, so a build that is killed goes on where it was. At the end there is a short lock, the
last events, and the swap: in one transaction, so everybody sees either the tables as they were or the new ones.

What had expired before it began, and would be swept away, is not built.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from time import monotonic

import asyncpg
from msgspec import Struct

from ledger.postgres.archive.catalogue import ArchiveSource
from ledger.postgres.statements import load_statements
from projections.expiry_sweep import GRACE_SECONDS
from projections.projection import Projection
from projections.rebuilding import tables
from projections.rebuilding.builder import Progress, ProjectionBuilder
from projections.rebuilding.connections import BuildConnection, LiveSchema, connect, find_live_schema
from projections.rebuilding.errors import (
    AlreadyUpgraded,
    BuildInProgress,
    BuildRefused,
    NewerVersionStored,
    SwapTimedOut,
)

SQL = load_statements("projections.rebuilding", "builds.sql")
PAGES = load_statements("projections.rebuilding", "log_pages.sql")

NEAR = 200
"""Events that may be left for the lock."""

LOCK_TIMEOUT = "100ms"
"""How long the swap waits for a lock: so long, at most, do requests wait behind it."""

PAUSE_SECONDS = 0.5
"""After a swap that had to wait too long."""

ATTEMPTS = 600

Tell = Callable[[str], None]
"""Told what the build is at: a line for a person."""


class RebuildResult(Struct, frozen=True, kw_only=True):
    """What was built: events of all logs, how many of them were there already from a build that was interrupted."""

    projection: str
    version: int
    events: int
    resumed_at: int
    seconds: float
    locked_ms: float


class Rebuild:
    """The build of one projection, by the one process that has the right to."""

    def __init__(self, projection: Projection, filling: ProjectionBuilder) -> None:
        self.projection = projection
        self._filling = filling
        self._live = filling.live
        self._writer = filling.writer
        self.schema = build_schema(projection)
        self._retired = f"{self.schema}_retired"
        self._positions: dict[int, int] = {}

    @property
    def done(self) -> int:
        """How many events are folded."""
        return sum(self._positions.values())

    async def prepare(self, holder: str, *, restart: bool) -> None:
        """Make the tables, or find those of a build that was interrupted and can be gone on with."""
        found = await self._writer.fetchrow(self._sql("find"), self.projection.name)
        resumable = (
            not restart
            and found is not None
            and found["version"] == self.projection.version
            and await tables.same_shape(self._writer, self._live, self.projection, self.schema)
        )
        async with self._writer.transaction():
            await self._drop(self._retired)
            if not resumable:
                await self._drop(self.schema)
                await self._writer.execute(self._sql("forget"), self.projection.name)
                await self._writer.execute(f"CREATE SCHEMA {self.schema}")
                await tables.make_tables(self._writer, self._live, self.projection, self.schema)
            await self._writer.execute(self._sql("begin"), self.projection.name, self.projection.version, holder)
        await tables.work_in(self._writer, self.schema)
        rows = await self._writer.fetch(self._sql("positions"), self.projection.name)
        self._positions = {row["log_id"]: row["position"] for row in rows}

    async def checkpoint(self, log_id: int, position: int) -> None:
        """Within the transaction of the rows."""
        await self._writer.execute(self._sql("advance"), self.projection.name, log_id, position)
        self._positions[log_id] = position

    async def fill(self) -> None:
        """Fold what there is, until almost nothing is left."""
        while left := self._left(heads := await self._filling.heads()):
            for log_id, head in heads.items():
                await self._filling.fill(log_id, self._positions.get(log_id, 0), head)
            if left <= NEAR:
                return

    async def index(self) -> None:
        """Make the indexes that the fold did not need, on two connections unless the service is at work."""
        await self._writer.execute(self._sql("state"), self.projection.name, "indexing")
        missing = await tables.missing_indexes(self._writer, self._live, self.projection, self.schema)
        both = (self._writer, self._filling.reader)
        await tables.make_indexes(both[:1] if self._filling.throttle.busy else both, missing)
        await tables.analyze(self._writer, self.projection, self.schema)

    async def swap(self, tell: Tell) -> float:
        """Put the tables in place of the live ones; returns for how many seconds others waited. Raises StillRead."""
        await self._writer.execute(self._sql("state"), self.projection.name, "swapping")
        for attempt in range(ATTEMPTS):
            await self.fill()
            positions = dict(self._positions)
            try:
                started = monotonic()
                async with self._writer.transaction():
                    await self._swap()
                locked = monotonic() - started
                break
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, _TooFar):
                self._positions = positions
                if attempt == 0:
                    tell("the live tables are in use; the swap waits for a moment in which they are not")
                await asyncio.sleep(PAUSE_SECONDS)
        else:
            msg = (
                f"{self.projection.name} is built, but its live tables were read without a pause, by a backup or a "
                "verification perhaps. The next rebuild goes on from here, in seconds."
            )
            raise SwapTimedOut(msg)
        async with self._writer.transaction():
            await self._drop(self._retired)
            await self._drop(self.schema)
        return locked

    async def _swap(self) -> None:
        writer, name, version = self._writer, self.projection.name, self.projection.version
        kind = "inline" if self.projection.inline else "catch_up"
        await writer.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'; SET LOCAL synchronous_commit = on")
        await writer.execute(self._sql(f"hold_{kind}"))
        heads = await self._filling.heads()
        if self._left(heads) > 2 * NEAR:
            raise _TooFar
        for log_id, head in heads.items():
            if head > self._positions.get(log_id, 0):
                await self._filling.apply(log_id, self._positions.get(log_id, 0), head)
        await writer.execute(await writer.fetchval(tables.SQL["lock"], self._live.schema, self.projection.tables))
        await writer.execute(f"CREATE SCHEMA {self._retired}")
        await tables.move_tables(writer, self.projection, self._live.schema, self._retired)
        await tables.move_tables(writer, self.projection, self.schema, self._live.schema)
        await writer.execute(self._sql(f"swapped_{kind}"), name, version)
        await writer.execute(self._sql("forget"), name)

    def _left(self, heads: Mapping[int, int]) -> int:
        return sum(max(0, head - self._positions.get(log_id, 0)) for log_id, head in heads.items())

    async def _drop(self, schema: str) -> None:
        await self._writer.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")

    def _sql(self, name: str) -> str:
        return self._live(SQL[name])


class _TooFar(Exception):
    """More was recorded since the build caught up than should be folded under a lock."""


def build_schema(projection: Projection) -> str:
    """Where a projection is built. Its name is an identifier of ours, so this one needs no quotes."""
    return f"build_of_{projection.name}"


async def rebuild_projection(
    dsn: str,
    projection: Projection,
    *,
    holder: str,
    progress: Callable[[int, int], Progress],
    tell: Tell,
    restart: bool = False,
    only_if_older: bool = False,
    archives: ArchiveSource | None = None,
) -> RebuildResult:
    """Build a projection anew, as the owner of its tables, and swap it in.

    `progress` is given how many events there are and how many are done already, and gives what is told of the others.
    `archives` is where those of the logs are. Raises BuildRefused, InvalidExport, Unavailable; with `only_if_older`
    NotOlder, where the live rows are of this version.
    """
    started = monotonic()
    async with connect(dsn) as writer, connect(dsn) as reader:
        live = await find_live_schema(writer)
        await check(writer, live, projection)
        async with _only_builder(writer, live, projection):
            if only_if_older and not is_older(projection, await stored_versions(writer, live)):
                raise AlreadyUpgraded(projection.name)
            build = await _prepared(
                projection, live, reader, writer, holder, restart=restart, progress=progress, archives=archives
            )
            resumed_at = build.done
            if resumed_at:
                tell(f"going on with a build that was interrupted at {resumed_at:,} events")
            await build.fill()
            tell("the rows are there; making indexes")
            await build.index()
            locked = await build.swap(tell)
    return RebuildResult(
        projection=projection.name,
        version=projection.version,
        events=build.done,
        resumed_at=resumed_at,
        seconds=monotonic() - started,
        locked_ms=locked * 1000,
    )


async def _prepared(
    projection: Projection,
    live: LiveSchema,
    reader: BuildConnection,
    writer: BuildConnection,
    holder: str,
    *,
    restart: bool,
    progress: Callable[[int, int], Progress],
    archives: ArchiveSource | None,
) -> Rebuild:
    told: Progress = _tell_nobody

    async def checkpoint(log_id: int, position: int) -> None:
        await build.checkpoint(log_id, position)

    def tell(events: int) -> None:
        told(events)

    filling = ProjectionBuilder(
        projection,
        live,
        reader=reader,
        writer=writer,
        checkpoint=checkpoint,
        progress=tell,
        expired_by=await reader.fetchval(PAGES["now"]) - GRACE_SECONDS,
        archives=archives,
    )
    build = Rebuild(projection, filling)
    await build.prepare(holder, restart=restart)
    told = progress(sum((await filling.heads()).values()), build.done)
    return build


def _tell_nobody(_events: int) -> None:
    """Before anybody knows how many there are."""


async def check(connection: BuildConnection, live: LiveSchema, projection: Projection) -> None:
    """Raises BuildRefused when this role or this release cannot put new tables in the place of the live ones."""
    names = list(projection.tables)
    not_owned = await connection.fetch(tables.SQL["not_owned"], live.schema, names)
    if not_owned:
        msg = (
            f"This role does not own {', '.join(row['name'] for row in not_owned)}: building needs the role that runs "
            "the migrations. Give its DSN as --owner-dsn."
        )
        raise BuildRefused(msg)
    views = await connection.fetch(tables.SQL["views_on"], live.schema, names)
    if views:
        msg = (
            f"The views {', '.join(row['name'] for row in views)} read the live tables, and would go on reading those "
            "that are replaced. Drop them, and make them again afterwards."
        )
        raise BuildRefused(msg)
    newest = max((await stored_versions(connection, live)).get(projection.name, {0}))
    if newest > projection.version:
        msg = (
            f"The projection {projection.name} of this database has version {newest}, this release has "
            f"{projection.version}: run the newer release."
        )
        raise NewerVersionStored(msg)


async def stored_versions(connection: BuildConnection, live: LiveSchema) -> Mapping[str, set[int]]:
    """Which versions the live rows are of, by projection."""
    stored: dict[str, set[int]] = {}
    for row in await connection.fetch(live(SQL["versions"])):
        stored.setdefault(row["projection"], set()).add(row["version"])
    return stored


def is_older(projection: Projection, stored: Mapping[str, set[int]]) -> bool:
    """Whether rows have to be built: one that follows begins by itself, an inline one cannot."""
    found = stored.get(projection.name, set())
    return any(version < projection.version for version in found) or (projection.inline and not found)


@asynccontextmanager
async def _only_builder(connection: BuildConnection, live: LiveSchema, projection: Projection) -> AsyncIterator[None]:
    # The lock is the connection's: whoever is killed lets go of it.
    if not await connection.fetchval(SQL["only_builder"], projection.name):
        found = await connection.fetchrow(live(SQL["find"]), projection.name)
        who = f" by {found['holder']}, since {found['started_at']:%Y-%m-%d %H:%M:%S} UTC" if found else ""
        msg = f"{projection.name} is being built already{who}. Let that finish, or end that process."
        raise BuildInProgress(msg)
    yield
