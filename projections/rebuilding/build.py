"""A build: new tables of a projection in a schema of their own, filled from the log.

Progress commits with the rows, so a build that was killed is resumed.
"""

from collections.abc import Mapping

from ledger.postgres.statements import load_statements
from projections.projection import Projection
from projections.rebuilding import tables
from projections.rebuilding.builder import ProjectionBuilder, read_heads
from projections.rebuilding.connections import LiveSchema

SQL = load_statements("projections.rebuilding", "builds.sql")

NEAR_HEAD_EVENTS = 200
"""Events that may be left to fold under the lock of the swap."""


class Build:
    """The build of one projection, by the only process that builds it."""

    def __init__(self, live: LiveSchema, builder: ProjectionBuilder) -> None:
        self.projection = builder.projection
        self.live = live
        self.builder = builder
        self.writer = builder.writer
        self.schema = build_schema(self.projection)
        self.retired_schema = f"{self.schema}_retired"
        self.positions: dict[int, int] = {}
        builder.checkpoint = self._checkpoint

    @property
    def done(self) -> int:
        """How many events are folded."""
        return sum(self.positions.values())

    async def prepare(self, holder: str, *, restart: bool) -> None:
        """Create the tables, or resume the build that was interrupted."""
        found = await self.writer.fetchrow(self.sql("find"), self.projection.name)
        resumable = (
            not restart
            and found is not None
            and found["version"] == self.projection.version
            and await tables.same_shape(self.writer, self.live, self.projection, self.schema)
        )
        async with self.writer.transaction():
            await self.drop(self.retired_schema)
            if not resumable:
                await self.drop(self.schema)
                await self.writer.execute(self.sql("forget"), self.projection.name)
                await self.writer.execute(f"CREATE SCHEMA {self.schema}")
                await tables.make_tables(self.writer, self.live, self.projection, self.schema)
            await self.writer.execute(self.sql("begin"), self.projection.name, self.projection.version, holder)
        await tables.work_in(self.writer, self.schema)
        rows = await self.writer.fetch(self.sql("positions"), self.projection.name)
        self.positions = {row["log_id"]: row["position"] for row in rows}

    async def fill(self) -> None:
        """Fold every log until almost nothing is left."""
        while left := self.count_left(heads := await read_heads(self.builder.reader)):
            for log_id, head in heads.items():
                await self.builder.fill(log_id, self.positions.get(log_id, 0), head)
            if left <= NEAR_HEAD_EVENTS:
                return

    async def create_indexes(self) -> None:
        """Create the indexes that `fold` did not need, on two connections unless the service is busy."""
        await self.set_state("indexing")
        missing = await tables.missing_indexes(self.writer, self.live, self.projection, self.schema)
        both = (self.writer, self.builder.reader)
        await tables.make_indexes(both[:1] if self.builder.throttle.busy else both, missing)
        await tables.analyze(self.writer, self.projection, self.schema)

    def count_left(self, heads: Mapping[int, int]) -> int:
        """How many events are not folded yet."""
        return sum(max(0, head - self.positions.get(log_id, 0)) for log_id, head in heads.items())

    async def set_state(self, state: str) -> None:
        """Show operators the phase of the build."""
        await self.writer.execute(self.sql("state"), self.projection.name, state)

    async def drop(self, schema: str) -> None:
        """Drop a schema of this build."""
        await self.writer.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")

    def sql(self, name: str) -> str:
        """A statement on the tables that record builds."""
        return self.live.qualify(SQL[name])

    async def _checkpoint(self, log_id: int, position: int) -> None:
        await self.writer.execute(self.sql("advance"), self.projection.name, log_id, position)
        self.positions[log_id] = position


def build_schema(projection: Projection) -> str:
    """The schema of a projection's build. Names of projections are identifiers, so it needs no quotes."""
    return f"build_of_{projection.name}"
