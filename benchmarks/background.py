"""How much background work slows issuance down: the same load without and with the work."""

import json
import os
import platform
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.command import log_progress
from benchmarks.demo_service import Measurement, Server, issuance_request, measure
from benchmarks.errors import MeasurementError
from benchmarks.load.wrk import Load

WARM_UP_SECONDS = 2


@dataclass
class Slowdown:
    """Issuance alone, and issuance while the work runs."""

    alone: Measurement
    during: Measurement

    @property
    def kept_rate(self) -> float:
        return self.during.rate / self.alone.rate

    @property
    def p99_ratio(self) -> float:
        return self.during.p99_ms / self.alone.p99_ms

    def table(self, work: str) -> list[str]:
        """Render both as Markdown; `work` names the background work."""
        rows = [
            f"| {name} | {found.rate:,.0f} | {found.p50_ms:.1f} | {found.p99_ms:.1f} |"
            for name, found in (("alone", self.alone), (f"during {work}", self.during))
        ]
        return [
            "| issuance, 64 connections | /s | p50 ms | p99 ms |",
            "| --- | ---: | ---: | ---: |",
            *rows,
            "",
            f"{self.kept_rate:.0%} of the rate remains; the p99 is {self.p99_ratio:.1f} times as long",
        ]


def measure_slowdown(served: Server, folder: Path, seconds: int, work: Callable[[threading.Event], None]) -> Slowdown:
    """Issue tokens for that long, alone and while `work` runs. Raises MeasurementError when a request fails."""
    log_progress("issuing tokens")
    measure_issuance(served, folder, WARM_UP_SECONDS)
    alone = measure_issuance(served, folder, seconds)
    with run_in_background(work):
        during = measure_issuance(served, folder, seconds)
    return Slowdown(alone, during)


def measure_issuance(served: Server, folder: Path, seconds: int) -> Measurement:
    return measure(served, [issuance_request(served)], folder, load=Load(), seconds=seconds)


@contextmanager
def run_in_background(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run `work` in a thread. In the end set the event it was given, and wait for it."""
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def run_ledger_command(directory: Path, *words: str) -> dict[str, Any]:
    """Run a command on the embedded database; return its JSON output. Raises MeasurementError when it fails."""
    line = [sys.executable, "-m", "api.cli.main", *words, "--embedded", str(directory), "--json"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        msg = f"{' '.join(words)} exited with {done.returncode}: {done.stderr or done.stdout}"
        raise MeasurementError(msg)
    return dict(json.loads(done.stdout))


def describe_run(events: int) -> Sequence[str]:
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    return (
        f"{machine}, PostgreSQL on the same machine with fsync on",
        f"{events:,} events, load average {os.getloadavg()[1]:.1f}",
        "",
    )
