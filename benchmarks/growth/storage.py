"""The storage of a log in PostgreSQL: bytes of tables, indexes and write-ahead log."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import asyncpg

from benchmarks.errors import MeasurementError

SIZES = """
SELECT c.relname AS name, pg_table_size(c.oid) AS size FROM pg_class c
 WHERE c.relname = ANY ($1) AND c.relnamespace = 'public'::regnamespace
 UNION ALL
SELECT i.indexrelid::regclass::text, pg_relation_size(i.indexrelid) FROM pg_index i
  JOIN pg_class c ON c.oid = i.indrelid WHERE c.relname = ANY ($1) AND c.relnamespace = 'public'::regnamespace
"""
TABLES = ("event_log", "active_tokens", "token_history", "token_activity", "event_index")
WRITTEN = """
SELECT coalesce(sum(w.wal_bytes), 0)::bigint AS bytes, coalesce(sum(w.wal_fpi), 0)::bigint AS pages
  FROM pg_stat_activity a, pg_stat_get_backend_wal(a.pid) w
 WHERE a.datname = $1 AND a.backend_type = 'client backend'
"""
FOLLOWED = """
SELECT (SELECT sum(position) FROM log_head)::bigint AS head,
       (SELECT sum(position) FROM projection_checkpoints)::bigint AS read
"""
TIMEOUT_SECONDS = 600.0
STATISTICS_SECONDS = 1.5
"""A server process reports its statistics at most once per second."""


@dataclass
class StorageGrowth:
    """What a number of events added. `pages` counts full-page images in the write-ahead log."""

    events: int = 0
    wal_bytes: int = 0
    pages: int = 0
    grown: dict[str, int] = field(default_factory=dict)


class Storage:
    """One database with one log. Use it outside of an event loop. Needs PostgreSQL 18."""

    def __init__(self, name: str, owner_dsn: str, superuser_dsn: str) -> None:
        self._name = name
        self._owner_dsn = owner_dsn
        self._superuser_dsn = superuser_dsn

    def sizes(self) -> Mapping[str, int]:
        """Return the bytes of each table without its indexes, and of each index."""
        return {row["name"]: row["size"] for row in self._fetch(SIZES, TABLES)}

    @contextmanager
    def count_growth(self, total: StorageGrowth) -> Iterator[None]:
        """Add the growth within the block to `total`, after the history has caught up.

        It counts the write-ahead log of client sessions that are open in the end, not of background processes.
        """
        events, sizes, written = self.wait_for_history(), self.sizes(), self._written()
        yield
        total.events += self.wait_for_history() - events
        for name, size in self.sizes().items():
            total.grown[name] = total.grown.get(name, 0) + size - sizes[name]
        after = self._written()
        total.wal_bytes += after["bytes"] - written["bytes"]
        total.pages += after["pages"] - written["pages"]

    def wait_for_history(self) -> int:
        """Wait until the history has applied the whole log; return its newest position."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            (row,) = self._fetch(FOLLOWED)
            if row["read"] == row["head"]:
                position: int = row["head"]
                return position
            time.sleep(0.1)
        msg = f"the history did not reach the end of the log within {TIMEOUT_SECONDS:.0f} s"
        raise MeasurementError(msg)

    def _written(self) -> Mapping[str, int]:
        time.sleep(STATISTICS_SECONDS)
        (row,) = asyncio.run(_run(self._superuser_dsn, WRITTEN, self._name))
        return row

    def _fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        return asyncio.run(_run(self._owner_dsn, statement, *arguments))


async def _run(dsn: str, statement: str, *arguments: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetch(statement, *arguments)
    finally:
        await connection.close()
