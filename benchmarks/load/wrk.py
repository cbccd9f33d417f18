"""The closed loop: wrk keeps connections busy; each sends its next request when it has received a response."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from benchmarks.errors import MeasurementError
from benchmarks.load.request import Request, write_requests

SCRIPT = Path(__file__).with_name("send_requests.lua")
TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Load:
    """One thread of wrk keeps a Python process busy and leaves the other core to PostgreSQL."""

    connections: int = 64
    threads: int = 1


@dataclass(frozen=True)
class ClosedLoopResult:
    """One run of wrk. `cpu_seconds` is the CPU time of wrk itself, without reading the requests."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def require_wrk() -> None:
    """Raise MeasurementError when wrk is not installed."""
    if shutil.which("wrk") is None:
        msg = "wrk is not installed. Debian, Ubuntu, Fedora, Arch and Homebrew have a package of that name."
        raise MeasurementError(msg)


def run_closed_loop(requests: Sequence[Request], folder: Path, *, load: Load, seconds: int) -> ClosedLoopResult:
    """Repeat the requests for that long. Raises MeasurementError when a response is not a success."""
    result = _send(requests, folder, load, seconds)
    check_responses(result, requests[0].url)
    return ClosedLoopResult(**{field.name: result[field.name] for field in fields(ClosedLoopResult)})  # type: ignore[arg-type]


def issue_tokens(issue: Request, folder: Path, *, load: Load, seconds: int) -> list[str]:
    """Issue tokens for that long and return them."""
    _send([issue] * load.threads, folder, load, seconds, str(folder / "tokens"))
    files = [folder / f"tokens.{number}" for number in range(load.threads)]
    return [token for file in files for token in file.read_text().split()]


def run_script(script: Path, address: str, arguments: Sequence[str], *, load: Load, seconds: int) -> dict[str, float]:
    """Run a wrk script; return the JSON that it prints after RESULT. Raises MeasurementError when wrk fails."""
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
        raise MeasurementError(msg)
    return dict(json.loads(result))


def check_responses(result: dict[str, float], url: str) -> None:
    """Raise MeasurementError when a request was refused or got no response."""
    requests, refused, broken = (int(result[name]) for name in ("requests", "refused", "broken"))
    if refused or broken or not requests:
        msg = f"{url}: of {requests} requests {refused} were refused, and {broken} connections or responses failed"
        raise MeasurementError(msg)


def _send(requests: Sequence[Request], folder: Path, load: Load, seconds: int, *tokens: str) -> dict[str, float]:
    file = folder / "requests"
    write_requests(requests, file)
    arguments = [str(file), str(load.threads), *tokens]
    return run_script(SCRIPT, requests[0].address, arguments, load=load, seconds=seconds)
