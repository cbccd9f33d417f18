"""Measure how fast history is archived, and how much that slows requests.

    python -m benchmarks.archive [--json] [--tokens 1000000] [--seconds 30] [--short]

It fills a log with old tokens, and archives a tenth of it while the service is idle. Then it issues tokens to the same
log, alone and while the real command archives one tenth after another; a failing request ends the measurement. In the
end it verifies log and archives together.
"""

import argparse
import asyncio
import json
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from time import monotonic

from api.embedded_postgres import EmbeddedPostgres
from benchmarks.background import Slowdown, describe_run, measure_slowdown, run_ledger_command
from benchmarks.command import benchmark, log_progress, parse_options, temporary_folder
from benchmarks.demo_service import LOG, run_demo_service
from benchmarks.errors import MeasurementError
from benchmarks.filled_log import fill_log
from benchmarks.load.wrk import require_wrk
from migrations.runner import upgrade

PARTS = 10
SPAN = timedelta(days=30)
"""The time from the first token to the last. Tokens live for an hour, so nearly all of them have expired."""

SHORT = {"tokens": 100_000, "seconds": 10}


@dataclass
class Part:
    """One archive: its events, the events removed from the log, and the duration of the command."""

    events: int
    removed: int
    seconds: float

    @property
    def row(self) -> str:
        return f"{self.events:,} | {self.removed:,} | {self.events / self.seconds:,.0f} |"


@dataclass
class Results:
    events: int
    idle: Part
    issuance: Slowdown
    parts: list[Part]


@benchmark
def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0, or 1 when a measurement is not possible."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.archive", description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print every measurement as JSON instead of a table")
    parser.add_argument("--tokens", type=int, default=1_000_000, help="tokens in the log, each one or two events")
    parser.add_argument(
        "--seconds", type=int, default=30, help="how long tokens are issued, alone and during archiving"
    )
    options = parse_options(parser, arguments, short=SHORT)
    require_wrk()
    with temporary_folder() as folder:
        results = _run(folder, options)
    print(json.dumps(asdict(results), indent=2) if options.json else _as_table(results))
    return 0


def _run(folder: Path, options: argparse.Namespace) -> Results:
    directory, archives, lifetime = folder / "postgres", folder / "archives", timedelta(hours=1)
    archives.mkdir()
    parts: list[Part] = []
    with EmbeddedPostgres(directory) as postgres:
        log_progress(f"writing {options.tokens:,} tokens")
        asyncio.run(upgrade(postgres.owner_dsn))
        rate = options.tokens / SPAN.total_seconds()
        filling = fill_log(postgres.owner_dsn, LOG, tokens=options.tokens, rate=rate, lifetime=lifetime, demo=True)
        log = asyncio.run(filling)
        instants = iter([(log.tokens.begin + SPAN * part / PARTS).isoformat() for part in range(1, PARTS + 1)])
        log_progress("archiving")
        idle = _archive(directory, archives, next(instants))

        def archive_parts(stop: threading.Event) -> None:
            for before in instants:
                if stop.is_set():
                    return
                parts.append(_archive(directory, archives, before))

        with run_demo_service(folder) as served:
            issuance = measure_slowdown(served, folder, options.seconds, archive_parts)
        if not run_ledger_command(directory, "log", "verify", "--archives", str(archives))["sound"]:
            msg = "the log is not sound"
            raise MeasurementError(msg)
    return Results(log.events, idle, issuance, parts)


def _archive(directory: Path, archives: Path, before: str) -> Part:
    started = monotonic()
    moved = run_ledger_command(directory, "log", "archive", "--before", before, "--to", str(archives))
    archive = moved["archive"]
    events = archive["last"] - archive["first"] + 1 if archive else 0
    return Part(events, moved["events_removed"], monotonic() - started)


def _as_table(results: Results) -> str:
    lines = [
        *describe_run(results.events),
        "| archived | events | removed | events/s |",
        "| --- | ---: | ---: | ---: |",
        f"| without requests | {results.idle.row}",
    ]
    if results.parts:
        events, removed = sum(part.events for part in results.parts), sum(part.removed for part in results.parts)
        total = Part(events, removed, sum(part.seconds for part in results.parts))
        lines.append(f"| while tokens are issued | {total.row}")
    return "\n".join([*lines, "", *results.issuance.table(f"archiving ({len(results.parts)})")])


if __name__ == "__main__":
    sys.exit(main())
