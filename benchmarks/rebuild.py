"""Measure how fast projections are rebuilt and verified, and how much that slows requests.

    python -m benchmarks.rebuild [--json] [--events 1000000] [--repetitions 3] [--seconds 30] [--short]

It fills a log, and runs the real commands on it: each projection is rebuilt and verified in turn while the service is
idle. Then it issues tokens, alone and while one rebuild follows another; a failing request ends the measurement.
"""

import argparse
import asyncio
import json
import statistics
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from api.embedded_postgres import EmbeddedPostgres
from benchmarks.background import Slowdown, describe_run, measure_slowdown, run_ledger_command
from benchmarks.command import benchmark, log_progress, parse_options, temporary_folder
from benchmarks.demo_service import run_demo_service
from benchmarks.filled_log import fill_log
from benchmarks.load.wrk import require_wrk
from migrations.runner import upgrade

NAMES = ("active_tokens", "token_history")
"""The projections that grow with the log."""

TARGET_EVENTS_PER_SECOND = 100_000
MIN_KEPT_RATE, MAX_P99_RATIO = 0.7, 3.0
SHORT = {"events": 50_000, "repetitions": 1, "seconds": 10}


@dataclass
class Rates:
    """Events per second of each run, and how long the swap held its lock."""

    name: str
    rebuilt: list[float] = field(default_factory=list)
    verified: list[float] = field(default_factory=list)
    locked_ms: list[float] = field(default_factory=list)


@dataclass
class Results:
    events: int
    rates: list[Rates]
    issuance: Slowdown
    swaps: int

    @property
    def reached(self) -> bool:
        runs = [runs for rates in self.rates for runs in (rates.rebuilt, rates.verified)]
        fast = all(statistics.median(found) >= TARGET_EVENTS_PER_SECOND for found in runs)
        return fast and self.issuance.kept_rate >= MIN_KEPT_RATE and self.issuance.p99_ratio <= MAX_P99_RATIO


@benchmark
def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0, or 1 when a measurement is not possible or, with --check, when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rebuild", description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print every measurement as JSON instead of a table")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    parser.add_argument("--events", type=int, default=1_000_000, help="length of the log")
    parser.add_argument("--repetitions", type=int, default=3, help="rebuilds and verifications of each projection")
    parser.add_argument("--seconds", type=int, default=30, help="how long tokens are issued, alone and during rebuilds")
    options = parse_options(parser, arguments, short=SHORT)
    require_wrk()
    with temporary_folder() as folder:
        results = _run(folder, options)
    print(json.dumps(asdict(results), indent=2) if options.json else _as_table(results))
    return int(options.check and not results.reached)


def _run(folder: Path, options: argparse.Namespace) -> Results:
    directory = folder / "postgres"
    swapped: list[str] = []

    def rebuild_repeatedly(stop: threading.Event) -> None:
        while not stop.is_set():
            for name in NAMES:
                if not stop.is_set():
                    run_ledger_command(directory, "projections", "rebuild", name)
                    swapped.append(name)

    with EmbeddedPostgres(directory) as postgres:
        log_progress(f"writing {options.events:,} events")
        asyncio.run(upgrade(postgres.owner_dsn))
        filled = asyncio.run(fill_log(postgres.owner_dsn, "history", tokens=options.events * 20 // 21))
        for name in NAMES:
            run_ledger_command(directory, "projections", "rebuild", name)
        rates = [_measure_rates(directory, name, options.repetitions) for name in NAMES]
        with run_demo_service(folder) as served:
            issuance = measure_slowdown(served, folder, options.seconds, rebuild_repeatedly)
        for name in NAMES:
            run_ledger_command(directory, "projections", "verify", name)
    return Results(filled.events, rates, issuance, len(swapped))


def _measure_rates(directory: Path, name: str, repetitions: int) -> Rates:
    rates = Rates(name)
    for _ in range(repetitions):
        log_progress(f"{name} ...")
        rebuilt = run_ledger_command(directory, "projections", "rebuild", name)
        rates.rebuilt.append(rebuilt["events"] / rebuilt["seconds"])
        rates.locked_ms.append(rebuilt["locked_ms"])
        verified = run_ledger_command(directory, "projections", "verify", name)
        rates.verified.append(sum(verified["positions"].values()) / verified["seconds"])
    return rates


def _as_table(results: Results) -> str:
    lines = [
        *describe_run(results.events),
        "| projection | rebuilt, events/s (min - max) | verified, events/s (min - max) | swap ms |",
        "| --- | ---: | ---: | ---: |",
    ]
    for rates in results.rates:
        swap = f"{statistics.median(rates.locked_ms):.0f}"
        lines.append(f"| {rates.name} | {_spread(rates.rebuilt)} | {_spread(rates.verified)} | {swap} |")
    return "\n".join([*lines, "", *results.issuance.table(f"rebuilds ({results.swaps})")])


def _spread(runs: Sequence[float]) -> str:
    return f"{statistics.median(runs):,.0f} ({min(runs):,.0f} - {max(runs):,.0f})"


if __name__ == "__main__":
    sys.exit(main())
