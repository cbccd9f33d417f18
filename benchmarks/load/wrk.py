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

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def check_installed() -> None:
    """Raises CannotMeasure when there is no wrk."""
    if shutil.which("wrk") is None:
        msg = "wrk is not installed. It is a package of that name on Debian, Ubuntu, Fedora, Arch and Homebrew."
        raise CannotMeasure(msg)


def press(requests: Sequence[Request], folder: Path, *, load: Load, seconds: int) -> Pressed:
    """Send these for that long, round and round. Raises CannotMeasure when an answer was not a success."""
    result = _press(requests, folder, load, seconds)
    check_answers(result, requests[0].url)
    return Pressed(
        requests=int(result["requests"]),
        seconds=result["seconds"],
        p50_ms=result["p50_ms"],
        p99_ms=result["p99_ms"],
        cpu_seconds=result["cpu_seconds"],
    )


def harvest(issue: Request, folder: Path, *, load: Load, seconds: int) -> list[str]:
    """Issue tokens for that long and return them."""
    _press([issue] * load.threads, folder, load, seconds, str(folder / "tokens"))
    files = [folder / f"tokens.{number}" for number in range(load.threads)]
    return [token for file in files for token in file.read_text().split()]


def run(script: Path, address: str, arguments: Sequence[str], *, load: Load, seconds: int) -> dict[str, float]:
    """What a script of wrk prints after RESULT, as JSON. Raises CannotMeasure when wrk fails."""
    command = ["wrk", "-t", str(load.threads), "-c", str(load.connections), "-d", f"{seconds}s"]
    done = subprocess.run(
        [*command, "--timeout", f"{TIMEOUT_SECONDS}s", "-s", str(script), address, "--", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    _, found, result = done.stdout.partition("RESULT ")
    if done.returncode or not found:
        msg = f"wrk failed on {address}: {done.stderr.strip() or done.stdout.strip()}"
        raise CannotMeasure(msg)
    measured: dict[str, float] = json.loads(result)
    return measured


def check_answers(result: dict[str, float], url: str) -> None:
    """Raises CannotMeasure when an answer was not a success, or did not come."""
    requests, refused, broken = (int(result[name]) for name in ("requests", "refused", "broken"))
    if refused or broken or not requests:
        msg = (
            f"{url}: of {requests} requests {refused} were refused, and {broken} connections or answers broke; "
            "a rate of failures says nothing"
        )
        raise CannotMeasure(msg)


def _press(requests: Sequence[Request], folder: Path, load: Load, seconds: int, *tokens: str) -> dict[str, float]:
    file = folder / "requests"
    write_for_wrk(requests, file)
    return run(SCRIPT, requests[0].address, [str(file), str(load.threads), *tokens], load=load, seconds=seconds)
