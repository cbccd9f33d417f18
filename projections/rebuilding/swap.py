"""Swap the tables of a build with the live ones, in one transaction, under a short lock.

The transaction also folds the last events, so readers see either the old tables or the new ones.
"""

import asyncio
from collections.abc import Callable
from time import monotonic

import asyncpg

from projections.rebuilding import tables
from projections.rebuilding.build import NEAR_HEAD_EVENTS, Build
from projections.rebuilding.builder import read_heads
from projections.rebuilding.errors import BuildRefused

LOCK_TIMEOUT = "100ms"
"""How long the swap waits for a lock. Requests queue behind it, so they wait no longer either."""

RETRY_SECONDS = 0.5
ATTEMPTS = 600


class _TooManyEventsLeft(Exception):
    pass


async def swap_tables(build: Build, report: Callable[[str], None]) -> float:
    """Swap, and return for how many seconds requests waited. Raises BuildRefused if the tables stay in use."""
    await build.set_state("swapping")
    for attempt in range(ATTEMPTS):
        await build.fill()
        positions = dict(build.positions)
        try:
            started = monotonic()
            async with build.writer.transaction():
                await _swap(build)
            locked = monotonic() - started
            break
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, _TooManyEventsLeft):
            build.positions = positions
            if attempt == 0:
                report("the live tables are in use; the swap is retried until they are not")
            await asyncio.sleep(RETRY_SECONDS)
    else:
        msg = (
            f"{build.projection.name} is built, but its live tables were in use all the time, by a backup or a "
            "verification perhaps. The next rebuild resumes here and takes seconds."
        )
        raise BuildRefused(msg)
    async with build.writer.transaction():
        await build.drop(build.retired_schema)
        await build.drop(build.schema)
    return locked


async def _swap(build: Build) -> None:
    writer, projection, live = build.writer, build.projection, build.live
    kind = "inline" if projection.inline else "catch_up"
    await writer.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'; SET LOCAL synchronous_commit = on")
    await writer.execute(build.sql(f"lock_{kind}"))
    heads = await read_heads(build.builder.reader)
    if build.count_left(heads) > 2 * NEAR_HEAD_EVENTS:
        raise _TooManyEventsLeft
    for log_id, head in heads.items():
        if head > build.positions.get(log_id, 0):
            await build.builder.apply(log_id, build.positions.get(log_id, 0), head)
    await writer.execute(await writer.fetchval(tables.SQL["lock"], live.name, projection.tables))
    await writer.execute(f"CREATE SCHEMA {build.retired_schema}")
    await tables.move_tables(writer, projection, live.name, build.retired_schema)
    await tables.move_tables(writer, projection, build.schema, live.name)
    await writer.execute(build.sql(f"swapped_{kind}"), projection.name, projection.version)
    await writer.execute(build.sql("forget"), projection.name)
