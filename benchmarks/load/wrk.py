"""The closed loop: wrk keeps so many connections busy, each waiting for its answer before it asks again."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cannot_measure import CannotMeasure
from benchmarks.load.request import Request, write_for_wrk

SCRIPT = Path(__file__).with_name("send_requests.lua")
TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Load:
    """How hard to press. One thread of wrk keeps a Python process busy and leaves the other core to PostgreSQL."""

    connections: int = 64
    threads: int = 1


@dataclass(frozen=True)
class Pressed:
    """What one run of wrk saw, and the processor time that it used itself once it had made its requests."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu_seconds: float


def check_installed() -> None:
    """Raises CannotMeasure when there is no wrk."""
    if shutil.which("wrk") is None:
        msg = "wrk is not installed. It is a package of that name on Debian, Ubuntu, Fedora, Arch and Homebrew."
        raise CannotMeasure(msg)


def press(requests: Sequence[Request], folder: Path, *, load: Load, seconds: int) -> Pressed:
    """Send these for that long, round and round. Raises CannotMeasure when an answer was not a success."""
    result = _run(requests, folder, load=load, seconds=seconds, tokens=None)
    refused, broken = result.pop("refused"), result.pop("broken")
    if refused or broken:
        msg = (
            f"{requests[0].url}: {refused:.0f} of {result['requests']:.0f} requests were refused and {broken:.0f} "
            "got no answer; a rate of failures says nothing"
        )
        raise CannotMeasure(msg)
    return Pressed(int(result.pop("requests")), **result)


def harvest(issue: Request, folder: Path, *, load: Load, seconds: int) -> list[str]:
    """Issue tokens for that long and return them."""
    prefix = folder / "tokens"
    _run([issue] * load.threads, folder, load=load, seconds=seconds, tokens=prefix)
    files = [folder / f"tokens.{number}" for number in range(load.threads)]
    return [token for file in files for token in file.read_text().split()]


def _run(
    requests: Sequence[Request], folder: Path, *, load: Load, seconds: int, tokens: Path | None
) -> dict[str, float]:
    file = folder / "requests"
    write_for_wrk(requests, file)
    address = requests[0].address
    command = ["wrk", "-t", str(load.threads), "-c", str(load.connections), "-d", f"{seconds}s"]
    arguments = [str(file), str(load.threads), *([str(tokens)] if tokens else [])]
    run = subprocess.run(
        [*command, "--timeout", f"{TIMEOUT_SECONDS}s", "-s", str(SCRIPT), address, "--", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    _, found, result = run.stdout.partition("RESULT ")
    if run.returncode or not found:
        msg = f"wrk failed on {address}: {run.stderr.strip() or run.stdout.strip()}"
        raise CannotMeasure(msg)
    measured: dict[str, float] = json.loads(result)
    return measured
