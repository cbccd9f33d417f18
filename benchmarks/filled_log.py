"""Fills a log with many tokens by COPY, through the service's own codec, and its views with what they fold to.

    python -m benchmarks.filled_log OWNER_DSN LOG --tokens 1000000

Several processes write parts of it, each a piece in memory at a time, and the indexes are made when the rows are there.
A test has `log verify` and `projections verify` prove what comes of it.
"""

import argparse
import asyncio
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import asyncpg

from benchmarks.indexes import drop_indexes, make_indexes
from benchmarks.numbered_tokens import NumberedTokens, numbered_tokens
from benchmarks.token_rows import HISTORY_COLUMNS, Row, TokenRows
from ledger.domain.recording import EventMapper
from ledger.postgres.archive.restoration import COLUMNS
from projections.active_tokens import COLUMNS as ACTIVE_COLUMNS
from projections.clients import ClientsProjection
from projections.projection import LogRow
from projections.token_history import SQL, TokenHistoryProjection

TABLES = ("event_log", "active_tokens", "token_history")
PIECE = 5_000
"""Tokens whose rows a process holds at a time."""

PART = 100_000
"""Tokens that a process writes before it gets others."""


@dataclass(frozen=True)
class FilledLog:
    """What there is to ask for."""

    log_id: int
    tokens: NumberedTokens

    @property
    def events(self) -> int:
        """The newest position."""
        return self.tokens.events


async def fill(
    owner_dsn: str,
    log_name: str,
    *,
    tokens: int,
    rate: float = 100.0,
    lifetime: timedelta = timedelta(hours=4),
    demo: bool = False,
    processes: int | None = None,
) -> FilledLog:
    """Make the log and its views of so many tokens, issued at so many a second up to now.

    With 10 million tokens it takes minutes and 15 GB of disk. While it runs nobody else can use the tables.
    Raises ValueError when the log is there already: what these tokens say of when they were recorded would be before
    what it holds.
    """
    numbered = numbered_tokens(tokens, rate=rate, lifetime=lifetime, demo=demo)
    connection = await asyncpg.connect(owner_dsn)
    try:
        if await connection.fetchval("SELECT true FROM logs WHERE name = $1", log_name):
            msg = f"the log {log_name!r} is there already"
            raise ValueError(msg)
        log_id = await connection.fetchval("SELECT coalesce(max(log_id), 0) + 1 FROM logs")
        await _write_clients(connection, log_id, numbered)
        dropped = await drop_indexes(connection, TABLES)
        await _write_parts(owner_dsn, log_id, numbered, processes or os.cpu_count() or 1)
        await make_indexes(owner_dsn, dropped)
        await _finish(connection, log_name, FilledLog(log_id, numbered))
    finally:
        await connection.close()
    return FilledLog(log_id, numbered)


async def _write_clients(connection: asyncpg.Connection, log_id: int, numbered: NumberedTokens) -> None:
    rows = list(TokenRows(numbered, log_id).clients())
    await connection.copy_records_to_table("event_log", records=rows, columns=COLUMNS)
    projection = ClientsProjection(EventMapper())
    await projection.fold(connection, log_id, projection.read(map(_log_row, rows)))


def _log_row(row: Row) -> LogRow:
    _, position, recorded_at, _, version, schema_version, topic, payload, *who = row
    return LogRow(position, recorded_at, version, topic, schema_version, payload, *who)


async def _write_parts(dsn: str, log_id: int, numbered: NumberedTokens, processes: int) -> None:
    parts = [(first, min(first + PART, numbered.count)) for first in range(0, numbered.count, PART)]
    if len(parts) <= 1:  # not worth a process
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
        for begin in range(first, last, PIECE):
            log, active, history = rows.of(begin, min(begin + PIECE, last))
            await connection.copy_records_to_table("event_log", records=log, columns=COLUMNS)
            await connection.copy_records_to_table("active_tokens", records=active, columns=ACTIVE_COLUMNS)
            await connection.copy_records_to_table("token_history", records=history, columns=HISTORY_COLUMNS)
        counts = zip(*rows.activity.rows(), strict=True)
        await connection.execute(SQL["count"], log_id, *map(list, counts))
    finally:
        await connection.close()


async def _finish(connection: asyncpg.Connection, log_name: str, filled: FilledLog) -> None:
    log_id, end = filled.log_id, filled.tokens.end
    await connection.execute("INSERT INTO logs VALUES ($1, $2, $3)", log_name, log_id, filled.tokens.begin)
    await connection.execute("INSERT INTO log_head VALUES ($1, $2, $3)", log_id, filled.events, end)
    await connection.execute(
        "INSERT INTO projection_checkpoints (log_id, projection, version, position, updated_at, lease_token) "
        "VALUES ($1, $2, $3, $4, clock_timestamp(), 0)",
        log_id,
        TokenHistoryProjection.name,
        TokenHistoryProjection.version,
        filled.events,
    )
    await connection.execute("VACUUM ANALYZE event_log, active_tokens, token_history, token_activity, clients")


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill a log of a migrated database, and say how long it took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.filled_log", description=__doc__.partition("\n")[0])
    parser.add_argument("dsn", help="DSN of the owner of the tables")
    parser.add_argument("log", help="the path of the issuer, without its leading slash")
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--rate", type=float, default=100.0, help="tokens a second of recorded time")
    parser.add_argument("--demo", action="store_true", help="make it a log for serve --demo")
    parser.add_argument("--processes", type=int, help="that write at a time; one a core without it")
    options = parser.parse_args(arguments)
    begun = time.perf_counter()
    made = fill(
        options.dsn,
        options.log,
        tokens=options.tokens,
        rate=options.rate,
        demo=options.demo,
        processes=options.processes,
    )
    events = asyncio.run(made).events
    seconds = time.perf_counter() - begun
    print(f"{options.tokens:,} tokens, {events:,} events in {seconds:.1f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
