"""Samples during the load: tables, WAL, sweep, and the service process."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import psutil

from benchmarks.soak.disk_probe import DiskProbe
from benchmarks.soak.load import KINDS, Latencies, Load, percentile
from ledger.postgres.database import Connection
from ledger.postgres.statements import load_statements

SQL = load_statements("benchmarks.soak", "samples.sql")

BOUNDED = ("active_tokens", "log_head", "projection_checkpoints", "expiry_sweep")
"""Tables that must not grow with the log."""

WATCHED = (*BOUNDED, "token_history", "token_activity", "event_log")


@dataclass(frozen=True)
class Table:
    """The statistics of a table; counters are since the statistics were reset."""

    name: str
    bytes: int
    index_bytes: int
    live: int
    dead: int
    inserted: int
    updated: int
    updated_hot: int
    deleted: int
    vacuums: int
    analyzes: int


@dataclass(frozen=True)
class LatencySummary:
    """Latencies in milliseconds."""

    requests: int
    p50: float
    p99: float

    @classmethod
    def of(cls, values: list[float]) -> "LatencySummary":
        return cls(len(values), round(percentile(values, 0.5), 2), round(percentile(values, 0.99), 2))


@dataclass(frozen=True)
class Sample:
    """An interval that ended `seconds` after the start of the load, and the state at its end.

    `flush_worst` is the longest flush of the disk probe in milliseconds.
    """

    seconds: float
    requests: dict[str, LatencySummary]
    late_p99: float
    flush_worst: float
    failed: int
    wrong: int
    tables: dict[str, Table]
    wal_bytes: int
    expired_rows: int
    sweep_behind: float
    worker_rss: int


@dataclass(frozen=True)
class Interval:
    """A sample and its latencies."""

    sample: Sample
    latencies: Latencies


class Sampler:
    """Takes samples of one service and its database."""

    def __init__(self, connection: Connection, load: Load, pid: int, disk_probe: DiskProbe) -> None:
        self._connection = connection
        self._load = load
        self._disk_probe = disk_probe
        self._process = psutil.Process(pid)
        self._began = time.monotonic()

    async def take(self) -> Interval:
        """Return the interval since the last call."""
        latencies = self._load.take()
        flush_worst = self._disk_probe.take()
        tables = [Table(**row) for row in await self._connection.fetch(SQL["tables"], WATCHED)]
        moment = await self._connection.fetchrow(SQL["moment"])
        kinds = {kind: LatencySummary.of(latencies.of[kind]) for kind in KINDS} | {
            "all": LatencySummary.of(latencies.all)
        }
        sample = Sample(
            seconds=round(time.monotonic() - self._began, 1),
            requests=kinds,
            late_p99=round(percentile(latencies.late, 0.99), 2),
            flush_worst=round(flush_worst, 2),
            failed=latencies.failed,
            wrong=latencies.wrong,
            tables={table.name: table for table in tables},
            worker_rss=self._process.memory_info().rss,
            **moment,
        )
        return Interval(sample, latencies)


async def repeat_until_done(seconds: float, until: "asyncio.Task[None]", do: Callable[[], Awaitable[None]]) -> None:
    """Call `do` at the end of each interval until the task is done. An incomplete last interval is skipped."""
    due = time.monotonic()
    while not until.done():
        due += seconds
        await asyncio.wait({until}, timeout=max(0.0, due - time.monotonic()))
        if not until.done():
            await do()
    await until
