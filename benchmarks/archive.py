"""How fast history is archived, and what requests notice of it.

    python -m benchmarks.archive [--json] [--tokens 1000000] [--seconds 30] [--short]

A log of that many old tokens is written through the codec. A tenth of it is archived while the service is idle. Then
tokens are issued to the same log, alone and while one tenth after the other is archived by the real command; a request
that fails ends the measurement. In the end log and archives are verified together.
"""

import argparse
import asyncio
import json
import os
import platform
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from time import monotonic

from api.embedded_postgres import EmbeddedPostgres
from benchmarks.beside import command, issue
from benchmarks.command import benchmark, options_of, passing_folder
from benchmarks.filled_log import fill
from benchmarks.load.wrk import check_installed
from benchmarks.meanwhile import meanwhile
from benchmarks.measuring import say
from benchmarks.processes import CannotMeasure, service
from benchmarks.server_under_load import Measurement
from migrations.runner import upgrade

LOG = "ms-auth-server"
PARTS = 10
SPAN = timedelta(days=30)
"""Of the whole log: in each part all tokens have ended but the last, which live for an hour."""

SHORT = {"tokens": 100_000, "seconds": 10}
WARM_UP_SECONDS = 2


@dataclass
class Part:
    """An archive: its events, how many were removed from the log, and how long the command took."""

    events: int
    removed: int
    seconds: float


@dataclass
class Results:
    events: int
    idle: Part
    alone: Measurement
    beside: Measurement
    parts: list[Part] = field(default_factory=list)


@benchmark
def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 when there is no measurement."""
    options = _options(arguments)
    check_installed()
    with passing_folder() as folder:
        results = _run(folder, options)
    print(json.dumps(asdict(results), indent=2) if options.json else _as_table(results))
    return 0


def _run(folder: Path, options: argparse.Namespace) -> Results:
    directory = folder / "postgres"
    archives = folder / "archives"
    archives.mkdir()
    with EmbeddedPostgres(directory) as postgres:
        say(f"writing {options.tokens:,} tokens")
        asyncio.run(upgrade(postgres.owner_dsn))
        rate = options.tokens / SPAN.total_seconds()
        log = asyncio.run(
            fill(postgres.owner_dsn, LOG, tokens=options.tokens, rate=rate, lifetime=timedelta(hours=1), demo=True)
        )
        instants = iter([log.tokens.begin + SPAN * part / PARTS for part in range(1, PARTS + 1)])
        say("archiving")
        idle = _archive(directory, archives, next(instants).isoformat())
        with service(folder) as served:
            say("issuing tokens")
            issue(served, folder, WARM_UP_SECONDS)
            alone = issue(served, folder, options.seconds)
            with _archiving(directory, archives, (instant.isoformat() for instant in instants)) as parts:
                beside = issue(served, folder, options.seconds)
        if not command(directory, "log", "verify", "--archives", str(archives))["sound"]:
            msg = "the log is not sound"
            raise CannotMeasure(msg)
    return Results(log.events, idle, alone, beside, parts)


def _archive(directory: Path, archives: Path, before: str) -> Part:
    started = monotonic()
    moved = command(directory, "log", "archive", "--before", before, "--to", str(archives))
    archive = moved["archive"]
    events = archive["last"] - archive["first"] + 1 if archive else 0
    return Part(events, moved["events_removed"], monotonic() - started)


@contextmanager
def _archiving(directory: Path, archives: Path, instants: Iterator[str]) -> Iterator[list[Part]]:
    """One part after another, as long as there are parts and requests; gives those that were archived."""
    parts: list[Part] = []

    def run(enough: threading.Event) -> None:
        for before in instants:
            if enough.is_set():
                return
            parts.append(_archive(directory, archives, before))

    with meanwhile(run):
        yield parts


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.archive", description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print every measurement as JSON instead of a table")
    parser.add_argument("--tokens", type=int, default=1_000_000, help="tokens in the log, each an event or two")
    parser.add_argument("--seconds", type=int, default=30, help="how long tokens are issued, alone and beside")
    return options_of(parser, arguments, short=SHORT)


def _as_table(results: Results) -> str:
    alone, beside, idle = results.alone, results.beside, results.idle
    archived = sum(part.events for part in results.parts)
    seconds = sum(part.seconds for part in results.parts)
    lines = [
        f"{os.cpu_count()} cores, Python {platform.python_version()}, PostgreSQL on the same machine with fsync on",
        f"{results.events:,} events, load average {os.getloadavg()[1]:.1f}",
        "",
        "| archived | events | removed | events/s |",
        "| --- | ---: | ---: | ---: |",
        f"| while nothing is issued | {idle.events:,} | {idle.removed:,} | {idle.events / idle.seconds:,.0f} |",
    ]
    if seconds:
        removed = sum(part.removed for part in results.parts)
        lines.append(f"| beside | {archived:,} | {removed:,} | {archived / seconds:,.0f} |")
    name = f"beside {len(results.parts)} archives"
    return "\n".join(
        [
            *lines,
            "",
            "| issuance, 64 connections | /s | p50 ms | p99 ms |",
            "| --- | ---: | ---: | ---: |",
            f"| alone | {alone.rate:,.0f} | {alone.p50_ms:.1f} | {alone.p99_ms:.1f} |",
            f"| {name} | {beside.rate:,.0f} | {beside.p50_ms:.1f} | {beside.p99_ms:.1f} |",
            "",
            f"{beside.rate / alone.rate:.0%} of the rate is kept, the p99 is {beside.p99_ms / alone.p99_ms:.1f} times",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
