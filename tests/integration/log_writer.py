"""A process that appends to a log: `python -m tests.integration.log_writer DSN LOG WRITES HOW`.

HOW is `head-lock`, the real store, or `naive`: the same rows, numbered by a sequence instead of under the head lock.
"""

import asyncio
import sys
from uuid import uuid4

import asyncpg

from ledger.batching.group_commit import GroupCommit
from ledger.domain.recording import NewEvent, Write
from ledger.postgres.database import Database
from ledger.postgres.event_log import PostgresEventLog
from ledger.postgres.logs import Log
from projections.catalogue import inline_versions

TASKS = 8


def a_write(events: int = 2) -> Write:
    stream = uuid4()
    return Write(
        [
            NewEvent(stream_id=stream, stream_version=version, topic="thing.happened", payload=b"{}")
            for version in range(1, events + 1)
        ]
    )


async def write_by_head_lock(dsn: str, log: str, writes: int) -> None:
    database = Database(dsn)
    group = GroupCommit(PostgresEventLog(Log(database, log), inline_versions()), max_batch=4)

    async def task() -> None:
        for _ in range(writes // TASKS):
            await group.write(a_write())

    await asyncio.gather(*(task() for _ in range(TASKS)))
    await group.close()
    await database.close()


async def write_naively(dsn: str, log: str, writes: int) -> None:
    database = Database(dsn)
    log_id = await Log(database, log).ensure_id()
    await database.close()

    async def task() -> None:
        connection = await asyncpg.connect(dsn)
        for _ in range(writes // TASKS):
            async with connection.transaction():
                for event in a_write().events:
                    await connection.execute(
                        """
                        INSERT INTO event_log (log_id, position, recorded_at, stream_id, stream_version, schema_version,
                                               topic, payload)
                        VALUES ($1, nextval('naive_positions'), clock_timestamp(), $2, $3, 1, $4, $5)
                        """,
                        log_id,
                        event.stream_id,
                        event.stream_version,
                        event.topic,
                        event.payload,
                    )
        await connection.close()

    await asyncio.gather(*(task() for _ in range(TASKS)))


async def main(dsn: str, log: str, writes: str, how: str) -> None:
    write = write_naively if how == "naive" else write_by_head_lock
    await write(dsn, log, int(writes))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
