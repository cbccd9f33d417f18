"""How fast projections are rebuilt and verified, and what requests notice of it.

    python -m benchmarks.rebuild [--json] [--events 1000000] [--repetitions 3] [--seconds 30] [--short]

A log of that many events is written through the codec. Each projection is rebuilt and verified from it in turn by the
real command, which prints its own time, while the service is idle. Then tokens are issued, alone and while one
rebuild follows another; a request that fails ends the measurement.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from api.embedded_postgres import EmbeddedPostgres
from benchmarks.beside import command, issue
from benchmarks.command import benchmark, options_of, passing_folder
from benchmarks.filled_log import fill
from benchmarks.load.wrk import check_installed
from benchmarks.meanwhile import meanwhile
from benchmarks.measuring import say
from benchmarks.processes import service
from benchmarks.server_under_load import Measurement
from migrations.runner import upgrade

NAMES = ("active_tokens", "token_history")
"""The projections that grow with the log; that of clients is built in a moment."""

TARGET = 100_000
KEPT, SLOWED = 0.7, 3.0
SHORT = {"events": 50_000, "repetitions": 1, "seconds": 10}
WARM_UP_SECONDS = 2


@dataclass
class EventRates:
    """Events a second of each run."""

    name: str
    rebuilt: list[float] = field(default_factory=list)
    verified: list[float] = field(default_factory=list)
    locked_ms: list[float] = field(default_factory=list)


@dataclass
class Results:
    events: int
    rates: list[EventRates]
    alone: Measurement
    beside: Measurement
    swaps: int

    @property
    def reached(self) -> bool:
        fast = all(statistics.median(runs) >= TARGET for r in self.rates for runs in (r.rebuilt, r.verified))
        return fast and self.beside.rate >= KEPT * self.alone.rate and self.beside.p99_ms <= SLOWED * self.alone.p99_ms


@benchmark
def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 when there is no measurement or, with --check, when a target is missed."""
    options = _options(arguments)
    check_installed()
    with passing_folder() as folder:
        results = _run(folder, options)
    print(json.dumps(asdict(results), indent=2) if options.json else _as_table(results))
    return int(options.check and not results.reached)


def _run(folder: Path, options: argparse.Namespace) -> Results:
    directory = folder / "postgres"
    with EmbeddedPostgres(directory) as postgres:
        say(f"writing {options.events:,} events")
        asyncio.run(upgrade(postgres.owner_dsn))
        filled = asyncio.run(fill(postgres.owner_dsn, "history", tokens=options.events * 20 // 21))
        for name in NAMES:
            command(directory, "projections", "rebuild", name)
        rates = [_rates(directory, name, options) for name in NAMES]
        with service(folder) as served:
            say("issuing tokens")
            issue(served, folder, WARM_UP_SECONDS)
            alone = issue(served, folder, options.seconds)
            with _rebuilding(directory) as swaps:
                beside = issue(served, folder, options.seconds)
        for name in NAMES:
            command(directory, "projections", "verify", name)
    return Results(filled.events, rates, alone, beside, len(swaps))


def _rates(directory: Path, name: str, options: argparse.Namespace) -> EventRates:
    rates = EventRates(name)
    for _ in range(options.repetitions):
        say(f"{name} ...")
        rebuilt = command(directory, "projections", "rebuild", name)
        rates.rebuilt.append(rebuilt["events"] / rebuilt["seconds"])
        rates.locked_ms.append(rebuilt["locked_ms"])
        verified = command(directory, "projections", "verify", name)
        rates.verified.append(sum(verified["positions"].values()) / verified["seconds"])
    return rates


@contextmanager
def _rebuilding(directory: Path) -> Iterator[list[str]]:
    """One rebuild after another; gives the names of those that were swapped in."""
    swapped: list[str] = []

    def run(enough: threading.Event) -> None:
        while not enough.is_set():
            for name in NAMES:
                if not enough.is_set():
                    command(directory, "projections", "rebuild", name)
                    swapped.append(name)

    with meanwhile(run):
        yield swapped


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rebuild", description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print every measurement as JSON instead of a table")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    parser.add_argument("--events", type=int, default=1_000_000, help="length of the log")
    parser.add_argument("--repetitions", type=int, default=3, help="rebuilds and verifications of each projection")
    parser.add_argument("--seconds", type=int, default=30, help="how long tokens are issued, alone and beside")
    return options_of(parser, arguments, short=SHORT)


def _as_table(results: Results) -> str:
    lines = [
        f"{os.cpu_count()} cores, Python {platform.python_version()}, PostgreSQL on the same machine with fsync on",
        f"{results.events:,} events, load average {os.getloadavg()[1]:.1f}",
        "",
        "| projection | rebuilt, events/s (least - most) | verified, events/s (least - most) | swap ms |",
        "| --- | ---: | ---: | ---: |",
    ]
    for rates in results.rates:
        swap = f"{statistics.median(rates.locked_ms):.0f}"
        lines.append(f"| {rates.name} | {_spread(rates.rebuilt)} | {_spread(rates.verified)} | {swap} |")
    alone, beside = results.alone, results.beside
    return "\n".join(
        [
            *lines,
            "",
            "| issuance, 64 connections | /s | p50 ms | p99 ms |",
            "| --- | ---: | ---: | ---: |",
            f"| alone | {alone.rate:,.0f} | {alone.p50_ms:.1f} | {alone.p99_ms:.1f} |",
            f"| beside {results.swaps} rebuilds | {beside.rate:,.0f} | {beside.p50_ms:.1f} | {beside.p99_ms:.1f} |",
            "",
            f"{beside.rate / alone.rate:.0%} of the rate is kept, the p99 is {beside.p99_ms / alone.p99_ms:.1f} times",
        ]
    )


def _spread(runs: Sequence[float]) -> str:
    return f"{statistics.median(runs):,.0f} ({min(runs):,.0f} - {max(runs):,.0f})"


if __name__ == "__main__":
    sys.exit(main())
