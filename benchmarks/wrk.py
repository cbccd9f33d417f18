"""Drives one URL with wrk and reads what it measured."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.processes import CannotMeasure, Server

SCRIPT = Path(__file__).with_name("post_forms.lua")
GETTING = Path(__file__).with_name("get_paths.lua")


@dataclass(frozen=True)
class Load:
    """How hard to press. One thread of wrk keeps a Python process busy and leaves the other core to PostgreSQL."""

    connections: int = 64
    threads: int = 1


@dataclass(frozen=True)
class Measurement:
    """What one run of wrk saw. `refused` counts answers other than 2xx and 3xx, `broken` those that never came.

    `cpu_us` is what a request cost the server's process in processor time. It hardly changes with what else the machine
    does, unlike rates.
    """

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    refused: int
    broken: int
    cpu_us: float = 0.0

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def check_installed() -> None:
    """Raises CannotMeasure when there is no wrk."""
    if shutil.which("wrk") is None:
        msg = "wrk is not installed. It is a package of that name on Debian, Ubuntu, Fedora, Arch and Homebrew."
        raise CannotMeasure(msg)


def drive(server: Server, path: str, bodies: Sequence[str], folder: Path, *, load: Load, seconds: int) -> Measurement:
    """POST these bodies for that long. Raises CannotMeasure when an answer was not a success."""
    arguments = [str(_lines(folder, bodies)), str(load.threads)]
    return _cost(server, server.url(path), SCRIPT, arguments, load=load, seconds=seconds)


def fetch(
    server: Server, authorization: str, paths: Sequence[str], folder: Path, *, load: Load, seconds: int
) -> Measurement:
    """GET these paths for that long. Raises CannotMeasure when an answer was not a success."""
    arguments = [str(_lines(folder, [authorization, *paths]))]
    return _cost(server, server.url("/"), GETTING, arguments, load=load, seconds=seconds)


def harvest(url: str, body: str, folder: Path, *, load: Load, seconds: int) -> list[str]:
    """Issue tokens for that long and return them."""
    prefix = folder / "tokens"
    bodies = _lines(folder, [body] * load.threads)
    _run(url, SCRIPT, [str(bodies), str(load.threads), str(prefix)], load, seconds)
    files = [folder / f"tokens.{number}" for number in range(load.threads)]
    return [token for file in files for token in file.read_text().split()]


def _cost(server: Server, url: str, script: Path, arguments: Sequence[str], *, load: Load, seconds: int) -> Measurement:
    before = server.cpu_seconds()
    measurement = _run(url, script, arguments, load, seconds)
    used = server.cpu_seconds() - before
    if measurement.refused or measurement.broken:
        msg = (
            f"{url}: {measurement.refused} of {measurement.requests} requests were refused and {measurement.broken} "
            "got no answer; a rate of failures says nothing"
        )
        raise CannotMeasure(msg)
    return replace(measurement, cpu_us=used / measurement.requests * 1e6)


def _lines(folder: Path, lines: Sequence[str]) -> Path:
    file = folder / "requests"
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def _run(url: str, script: Path, arguments: Sequence[str], load: Load, seconds: int) -> Measurement:
    command = ["wrk", "-t", str(load.threads), "-c", str(load.connections), "-d", f"{seconds}s", "--timeout", "10s"]
    run = subprocess.run(
        [*command, "-s", str(script), url, "--", *arguments], capture_output=True, text=True, check=False
    )
    _, found, result = run.stdout.partition("RESULT ")
    if run.returncode or not found:
        msg = f"wrk failed on {url}: {run.stderr.strip() or run.stdout.strip()}"
        raise CannotMeasure(msg)
    return Measurement(**json.loads(result))
