"""Drives one URL with wrk and reads what it measured."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("post_forms.lua")


class CannotMeasure(Exception):
    """Why there is no measurement, in a sentence for whoever started it."""


@dataclass(frozen=True)
class Load:
    """How hard to press. One thread of wrk keeps a Python process busy and leaves the other core to PostgreSQL."""

    connections: int = 64
    threads: int = 1


@dataclass(frozen=True)
class Measurement:
    """What one run of wrk saw. `refused` counts answers other than 2xx and 3xx, `broken` those that never came."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    refused: int
    broken: int

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def check_installed() -> None:
    """Raises CannotMeasure when there is no wrk."""
    if shutil.which("wrk") is None:
        msg = "wrk is not installed. It is a package of that name on Debian, Ubuntu, Fedora, Arch and Homebrew."
        raise CannotMeasure(msg)


def drive(url: str, bodies: Sequence[str], folder: Path, *, load: Load, seconds: int) -> Measurement:
    """POST these bodies for that long. Raises CannotMeasure when an answer was not a success."""
    measurement = _run(url, bodies, folder, load=load, seconds=seconds, tokens=None)
    if measurement.refused or measurement.broken:
        msg = (
            f"{url}: {measurement.refused} of {measurement.requests} requests were refused and {measurement.broken} "
            "got no answer; a rate of failures says nothing"
        )
        raise CannotMeasure(msg)
    return measurement


def harvest(url: str, body: str, folder: Path, *, load: Load, seconds: int) -> list[str]:
    """Issue tokens for that long and return them."""
    prefix = folder / "tokens"
    _run(url, [body] * load.threads, folder, load=load, seconds=seconds, tokens=prefix)
    files = [folder / f"tokens.{number}" for number in range(load.threads)]
    return [token for file in files for token in file.read_text().split()]


def _run(
    url: str, bodies: Sequence[str], folder: Path, *, load: Load, seconds: int, tokens: Path | None
) -> Measurement:
    file = folder / "bodies"
    file.write_text("".join(f"{body}\n" for body in bodies))
    command = ["wrk", "-t", str(load.threads), "-c", str(load.connections), "-d", f"{seconds}s", "--timeout", "10s"]
    arguments = [str(file), str(load.threads), *([str(tokens)] if tokens else [])]
    run = subprocess.run(
        [*command, "-s", str(SCRIPT), url, "--", *arguments], capture_output=True, text=True, check=False
    )
    _, found, result = run.stdout.partition("RESULT ")
    if run.returncode or not found:
        msg = f"wrk failed on {url}: {run.stderr.strip() or run.stdout.strip()}"
        raise CannotMeasure(msg)
    return Measurement(**json.loads(result))
