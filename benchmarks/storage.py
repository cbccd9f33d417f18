"""What PostgreSQL holds and writes for a log: bytes of tables and of each index, and of the write-ahead log."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import asyncpg

from benchmarks.processes import CannotMeasure

SIZES = """
SELECT c.relname AS name, pg_table_size(c.oid) AS size FROM pg_class c
 WHERE c.relname = ANY ($1) AND c.relnamespace = 'public'::regnamespace
 UNION ALL
SELECT i.indexrelid::regclass::text, pg_relation_size(i.indexrelid) FROM pg_index i
  JOIN pg_class c ON c.oid = i.indrelid WHERE c.relname = ANY ($1) AND c.relnamespace = 'public'::regnamespace
"""
TABLES = ("event_log", "active_tokens", "token_history", "token_activity")
WRITTEN = """
SELECT coalesce(sum(w.wal_bytes), 0)::bigint AS bytes, coalesce(sum(w.wal_fpi), 0)::bigint AS pages
  FROM pg_stat_activity a, pg_stat_get_backend_wal(a.pid) w
 WHERE a.datname = $1 AND a.backend_type = 'client backend'
"""
FOLLOWED = """
SELECT (SELECT sum(position) FROM log_head)::bigint AS head,
       (SELECT sum(position) FROM projection_checkpoints)::bigint AS read
"""
PATIENCE_SECONDS = 600.0
STATISTICS_SECONDS = 1.5
"""A process of the server tells what it did at most once a second."""


@dataclass
class Written:
    """What so many events have added. `pages` are those logged whole, as their first change after a checkpoint."""

    events: int = 0
    wal_bytes: int = 0
    pages: int = 0
    grown: dict[str, int] = field(default_factory=dict)


class Storage:
    """Of one database with one log. For one thread, outside of an event loop. Needs PostgreSQL 18."""

    def __init__(self, name: str, owner_dsn: str, superuser_dsn: str) -> None:
        """The superuser's DSN may be of any database of the server."""
        self._name = name
        self._owner_dsn = owner_dsn
        self._superuser_dsn = superuser_dsn

    def sizes(self) -> Mapping[str, int]:
        """Bytes by table, without its indexes, and by index."""
        return {row["name"]: row["size"] for row in self._fetch(SIZES, TABLES)}

    @contextmanager
    def written(self, into: Written) -> Iterator[None]:
        """Add what is recorded within, when the history has followed it.

        The write-ahead log is that of the sessions which are there at the end; what the server does by itself is not
        counted.
        """
        events, sizes, written = self.followed(), self.sizes(), self._written()
        yield
        into.events += self.followed() - events
        for name, size in self.sizes().items():
            into.grown[name] = into.grown.get(name, 0) + size - sizes[name]
        after = self._written()
        into.wal_bytes += after["bytes"] - written["bytes"]
        into.pages += after["pages"] - written["pages"]

    def followed(self) -> int:
        """The newest position, once the history has read it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            (row,) = self._fetch(FOLLOWED)
            if row["read"] == row["head"]:
                position: int = row["head"]
                return position
            time.sleep(0.1)
        msg = f"the history did not come to the end of the log within {PATIENCE_SECONDS:.0f} s"
        raise CannotMeasure(msg)

    def checkpoint(self) -> None:
        """Have the server write what it holds, so that the next change of each page is logged with the whole page."""
        asyncio.run(_run(self._superuser_dsn, "CHECKPOINT"))

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
