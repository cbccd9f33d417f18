"""Measure audit queries at two sizes of the log: histories, pages, the export, and the cost of waiting event streams.

    python -m benchmarks.audit                      10,000 and 1,000,000 tokens; some minutes
    python -m benchmarks.audit --tokens 2000 20000  the short form

Needs wrk.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import aiohttp
import psutil

from api.embedded_postgres import EmbeddedPostgres
from api.operations.database import migrate
from api.service.settings import load_settings
from benchmarks.background import measure_issuance
from benchmarks.command import benchmark, log_progress, temporary_folder
from benchmarks.demo_service import LOG, PATH, Server, run_demo_service
from benchmarks.errors import MeasurementError
from benchmarks.filled_log import fill_log
from benchmarks.growth.requests import ReadRequests
from benchmarks.load.open_loop import run_open_loop
from benchmarks.load.wrk import Load, require_wrk, run_closed_loop

HISTORIES_PER_SECOND = 200
SUBSCRIBERS = 200
CATCH_UP_SECONDS = 900.0


@dataclass(frozen=True)
class Measured:
    """One size of the log. Latencies are p50 and p99 in ms; export in events/s, issuance in requests/s."""

    tokens: int
    events: int
    history_ms: tuple[float, float]
    page_ms: tuple[float, float]
    export_rate: float
    export_memory_mib: float
    issuance_rate: float
    issuance_rate_with_subscribers: float
    issuance_cpu_us: float
    issuance_cpu_us_with_subscribers: float


@benchmark
def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0, or 1 when a measurement is not possible."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit", description=__doc__.partition("\n")[0])
    parser.add_argument("--tokens", type=int, nargs="+", default=[10_000, 1_000_000], help="sizes of the log")
    parser.add_argument("--seconds", type=int, default=10, help="length of each measurement")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    require_wrk()
    results = [_measure(tokens, options.seconds) for tokens in options.tokens]
    print(json.dumps([asdict(r) for r in results], indent=2) if options.json else _as_table(results))
    return 0


def _measure(tokens: int, seconds: int) -> Measured:
    with temporary_folder() as folder:
        log_progress(f"filling a log with {tokens:,} tokens")
        with EmbeddedPostgres(folder / "postgres") as postgres:
            asyncio.run(migrate(postgres.owner_dsn, load_settings({}), log_progress))
            log = asyncio.run(fill_log(postgres.owner_dsn, LOG, tokens=tokens, demo=True))
        with run_demo_service(folder) as served:
            log_progress("measuring")
            reads = ReadRequests(served, log.tokens)
            asyncio.run(_wait_for_history(served, reads.bearer, log.events))
            history = run_open_loop(reads.build("history by jti"), folder, rate=HISTORIES_PER_SECOND, seconds=seconds)
            page = run_closed_loop(reads.build("page as of"), folder, load=Load(connections=1), seconds=seconds)
            export_rate, memory = asyncio.run(_export(served, reads.bearer, log.events))
            alone = measure_issuance(served, folder, seconds)
            with _subscribers(served, reads.bearer):
                subscribed = measure_issuance(served, folder, seconds)
        return Measured(
            tokens=tokens,
            events=log.events,
            history_ms=(history.percentiles["50"], history.percentiles["99"]),
            page_ms=(page.p50_ms, page.p99_ms),
            export_rate=export_rate,
            export_memory_mib=memory,
            issuance_rate=alone.rate,
            issuance_rate_with_subscribers=subscribed.rate,
            issuance_cpu_us=alone.cpu_us,
            issuance_cpu_us_with_subscribers=subscribed.cpu_us,
        )


async def _wait_for_history(served: Server, bearer: dict[str, str], position: int) -> None:
    deadline, url = time.monotonic() + CATCH_UP_SECONDS, served.url(f"{PATH}/audit/tokens?limit=1")
    async with aiohttp.ClientSession(headers=bearer) as session:
        while time.monotonic() < deadline:
            async with session.get(url) as response:
                if response.ok and (await response.json())["as_of"]["position"] >= position:
                    return
            await asyncio.sleep(0.5)
    msg = f"the history did not reach position {position} within {CATCH_UP_SECONDS:.0f} s"
    raise MeasurementError(msg)


async def _export(served: Server, bearer: dict[str, str], events: int) -> tuple[float, float]:
    """Export the log as NDJSON; return events per second, and the growth of the server's memory in MiB."""
    process = psutil.Process(served.pid)
    before = most = process.memory_info().rss
    count, begin = 0, time.perf_counter()
    headers = {**bearer, "Accept": "application/x-ndjson"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(served.url(f"{PATH}/audit/events")) as response,
    ):
        async for chunk in response.content.iter_any():
            count += chunk.count(b"\n")
            most = max(most, process.memory_info().rss)
    if count < events:
        msg = f"the export has {count} lines, but the log has {events} events"
        raise MeasurementError(msg)
    return count / (time.perf_counter() - begin), (most - before) / 2**20


@contextmanager
def _subscribers(served: Server, bearer: dict[str, str]) -> Iterator[None]:
    """Keep event streams open in another process; they wait for events that never occur."""
    url = served.url(f"{PATH}/audit/events/stream?type=client.disabled")
    program = [sys.executable, "-m", "benchmarks.subscribers", url, str(SUBSCRIBERS)]
    with psutil.Popen(program, stdin=-1, stdout=-1, text=True) as process:
        try:
            process.stdin.write(bearer["Authorization"] + "\n")
            process.stdin.flush()
            if process.stdout.readline() != "subscribed\n":
                msg = "the event streams were not accepted"
                raise MeasurementError(msg)
            yield
        finally:
            process.terminate()


def _as_table(results: Sequence[Measured]) -> str:
    rows: dict[str, Callable[[Measured], str]] = {
        "tokens": lambda r: f"{r.tokens:,}",
        "events": lambda r: f"{r.events:,}",
        f"history by jti at {HISTORIES_PER_SECOND}/s: p50 / p99 ms": lambda r: "{:.1f} / {:.1f}".format(*r.history_ms),
        "filtered as-of page of 100: p50 / p99 ms": lambda r: "{:.1f} / {:.1f}".format(*r.page_ms),
        "NDJSON export, events/s": lambda r: f"{r.export_rate:,.0f}",
        "memory growth during the export, MiB": lambda r: f"{r.export_memory_mib:.0f}",
        "issuance /s, alone": lambda r: f"{r.issuance_rate:,.0f}",
        f"issuance /s, {SUBSCRIBERS} streams waiting": lambda r: f"{r.issuance_rate_with_subscribers:,.0f}",
        "issuance, µs of CPU, alone": lambda r: f"{r.issuance_cpu_us:.0f}",
        f"issuance, µs of CPU, {SUBSCRIBERS} streams waiting": lambda r: f"{r.issuance_cpu_us_with_subscribers:.0f}",
    }
    lines = [f"| {name} | {' | '.join(map(show, results))} |" for name, show in rows.items()]
    return "\n".join([lines[0], f"| --- |{' ---: |' * len(results)}", *lines[1:]])


if __name__ == "__main__":
    sys.exit(main())
