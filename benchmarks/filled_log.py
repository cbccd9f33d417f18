"""Fill a log with many tokens by COPY, through the service's own codec, and the projections with the matching rows.

    python -m benchmarks.filled_log OWNER_DSN LOG --tokens 1000000

Several processes write parts of it, and indexes are created after the rows. A test checks the result with the code of
`log verify` and `projections verify`.
"""

import argparse
import asyncio
import multiprocessing
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import asyncpg

from benchmarks.numbered_tokens import NumberedTokens, numbered_tokens
from benchmarks.token_rows import HISTORY_COLUMNS, Row, TokenRows
from ledger.domain.recording import EventMapper
from ledger.postgres.archive.restoration import COLUMNS
from projections.active_tokens import COLUMNS as ACTIVE_COLUMNS
from projections.clients import ClientsProjection
from projections.event_index import COLUMNS as INDEX_COLUMNS
from projections.event_index import EventIndexProjection
from projections.projection import LogRow
from projections.token_history import SQL, TokenHistoryProjection

TABLES = ("event_log", "active_tokens", "token_history", "event_index")
CHUNK_TOKENS = 5_000
"""Tokens whose rows a process keeps in memory at a time."""

PART_TOKENS = 100_000
"""Tokens of one task of a process."""


CONSTRAINTS = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS drop,
       format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) AS create
  FROM pg_constraint WHERE conrelid = $1::text::regclass AND contype IN ('p', 'u') ORDER BY contype
"""
INDEXES = """
SELECT format('DROP INDEX %s', indexrelid::regclass) AS drop, pg_get_indexdef(indexrelid) AS create
  FROM pg_index WHERE indrelid = $1::text::regclass
   AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid) ORDER BY indexrelid
"""


@dataclass(frozen=True)
class FilledLog:
    log_id: int
    tokens: NumberedTokens

    @property
    def events(self) -> int:
        """The newest position of the log."""
        return self.tokens.events


async def fill_log(
    owner_dsn: str,
    log_name: str,
    *,
    tokens: int,
    rate: float = 100.0,
    lifetime: timedelta = timedelta(hours=4),
    demo: bool = False,
    processes: int | None = None,
) -> FilledLog:
    """Create a log and its projections with `tokens` tokens, issued at `rate` per second up to now.

    10 million tokens take minutes and 15 GB of disk. The tables cannot be used meanwhile. Raises ValueError when the
    log exists, because its events would be newer than these tokens.
    """
    numbered = numbered_tokens(tokens, rate=rate, lifetime=lifetime, demo=demo)
    connection = await asyncpg.connect(owner_dsn)
    try:
        if await connection.fetchval("SELECT true FROM logs WHERE name = $1", log_name):
            msg = f"the log {log_name!r} already exists"
            raise ValueError(msg)
        log_id = await connection.fetchval("SELECT coalesce(max(log_id), 0) + 1 FROM logs")
        await _write_clients(connection, log_id, numbered)
        definitions = await _drop_indexes(connection)
        await _write_parts(owner_dsn, log_id, numbered, processes or os.cpu_count() or 1)
        await _create_indexes(owner_dsn, definitions)
        await _finish(connection, log_name, FilledLog(log_id, numbered))
    finally:
        await connection.close()
    return FilledLog(log_id, numbered)


async def _write_clients(connection: asyncpg.Connection, log_id: int, numbered: NumberedTokens) -> None:
    rows = list(TokenRows(numbered, log_id).clients())
    await _copy_events(connection, rows)
    projection = ClientsProjection(EventMapper())
    await projection.fold(connection, log_id, projection.read(map(_log_row, rows)))


async def _copy_events(connection: asyncpg.Connection, rows: Sequence[Row]) -> None:
    await connection.copy_records_to_table("event_log", records=rows, columns=COLUMNS)
    index = [(log_id, position, topic, actor) for log_id, position, *_, topic, _, actor, _, _, _ in rows]
    await connection.copy_records_to_table("event_index", records=index, columns=INDEX_COLUMNS)


def _log_row(row: Row) -> LogRow:
    _, position, recorded_at, _, version, schema_version, topic, payload, *who, _salt = row
    return LogRow(position, recorded_at, version, topic, schema_version, payload, *who)


async def _write_parts(dsn: str, log_id: int, numbered: NumberedTokens, processes: int) -> None:
    parts = [(first, min(first + PART_TOKENS, numbered.count)) for first in range(0, numbered.count, PART_TOKENS)]
    if len(parts) <= 1:  # too small for another process
        for first, last in parts:
            await _write(dsn, log_id, numbered, first, last)
        return
    loop = asyncio.get_running_loop()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        await asyncio.gather(*(loop.run_in_executor(pool, _write_part, dsn, log_id, numbered, *part) for part in parts))


def _write_part(dsn: str, log_id: int, numbered: NumberedTokens, first: int, last: int) -> None:
    asyncio.run(_write(dsn, log_id, numbered, first, last))


async def _write(dsn: str, log_id: int, numbered: NumberedTokens, first: int, last: int) -> None:
    rows = TokenRows(numbered, log_id)
    connection = await asyncpg.connect(dsn, server_settings={"synchronous_commit": "off"})
    try:
        for begin in range(first, last, CHUNK_TOKENS):
            log, active, history = rows.build(begin, min(begin + CHUNK_TOKENS, last))
            await _copy_events(connection, log)
            await connection.copy_records_to_table("active_tokens", records=active, columns=ACTIVE_COLUMNS)
            await connection.copy_records_to_table("token_history", records=history, columns=HISTORY_COLUMNS)
        counts = zip(*rows.activity.rows(), strict=True)
        await connection.execute(SQL["count"], log_id, *map(list, counts))
    finally:
        await connection.close()


async def _drop_indexes(connection: asyncpg.Connection) -> Mapping[str, Sequence[str]]:
    """Drop every index and key of TABLES; return by table the statements that create them."""
    definitions = {}
    for table in TABLES:
        found = [*await connection.fetch(CONSTRAINTS, table), *await connection.fetch(INDEXES, table)]
        for row in found:
            await connection.execute(row["drop"])
        definitions[table] = [row["create"] for row in found]
    return definitions


async def _create_indexes(dsn: str, definitions: Mapping[str, Sequence[str]]) -> None:
    """Create the indexes of all tables concurrently, those of one table in order."""

    async def create(statements: Sequence[str]) -> None:
        connection = await asyncpg.connect(dsn, server_settings={"maintenance_work_mem": "512MB"})
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    await asyncio.gather(*map(create, definitions.values()))


async def _finish(connection: asyncpg.Connection, log_name: str, filled: FilledLog) -> None:
    log_id, end = filled.log_id, filled.tokens.end
    await connection.execute("INSERT INTO logs VALUES ($1, $2, $3)", log_name, log_id, filled.tokens.begin)
    await connection.execute("INSERT INTO log_head VALUES ($1, $2, $3)", log_id, filled.events, end)
    for projection in (TokenHistoryProjection, EventIndexProjection):
        await connection.execute(
            "INSERT INTO projection_checkpoints (log_id, projection, version, position, updated_at, lease_token) "
            "VALUES ($1, $2, $3, $4, clock_timestamp(), 0)",
            log_id,
            projection.name,
            projection.version,
            filled.events,
        )
    await connection.execute(
        "VACUUM ANALYZE event_log, active_tokens, token_history, token_activity, event_index, clients"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill a log of a migrated database, and print how long it took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.filled_log", description=__doc__.partition("\n")[0])
    parser.add_argument("dsn", help="DSN of the role that owns the tables")
    parser.add_argument("log", help="the path of the issuer, without its leading slash")
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--rate", type=float, default=100.0, help="issued tokens per second of recorded time")
    parser.add_argument("--demo", action="store_true", help="register demo clients, for serve --demo")
    parser.add_argument("--processes", type=int, help="number of writing processes; default: one per core")
    options = parser.parse_args(arguments)
    begun = time.perf_counter()
    filling = fill_log(
        options.dsn,
        options.log,
        tokens=options.tokens,
        rate=options.rate,
        demo=options.demo,
        processes=options.processes,
    )
    events = asyncio.run(filling).events
    seconds = time.perf_counter() - begun
    print(f"{options.tokens:,} tokens, {events:,} events in {seconds:.1f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
