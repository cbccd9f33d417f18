"""The open loop: vegeta sends at a constant rate, whether or not answers come, over as many connections as it needs.

It notes when each request was sent and what number it has, from which follows when it was due: under load the sender
itself may be late, and a connection that has to be waited for is latency as well.
"""

import csv
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cannot_measure import CannotMeasure
from benchmarks.load.latency import PERCENTILES, Sent, latencies_from_due, percentile
from benchmarks.load.request import Request, write_for_vegeta

MODULE = "github.com/tsenart/vegeta/v12@v12.13.0"
CONNECTIONS = 256
WARM_UP_SECONDS = 1.0
TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Paced:
    """Latencies of one run at a constant rate, by percentile, in ms; `worst` is the longest."""

    requests: int
    percentiles: dict[str, float]
    worst_ms: float


def program() -> str:
    """Where vegeta is: on the PATH, or where Go installs. Raises CannotMeasure."""
    places = (os.environ.get("GOBIN"), str(Path.home() / "go" / "bin"))
    found = shutil.which("vegeta") or next(
        (where for place in places if place and (where := shutil.which("vegeta", path=place))), None
    )
    if found is None:
        msg = f"vegeta is not installed: go install {MODULE}"
        raise CannotMeasure(msg)
    return found


def version() -> str:
    """Empty where there is no vegeta; of one that was built from its module without a number, the module."""
    try:
        run = subprocess.run([program(), "-version"], capture_output=True, text=True, check=False)
    except CannotMeasure:
        return ""
    return run.stdout.partition("Version:")[2].partition("\n")[0].strip() or MODULE


def pace(requests: Sequence[Request], folder: Path, *, rate: int, seconds: int) -> Paced:
    """Send so many a second for that long. Raises CannotMeasure when an answer was not a success."""
    targets, results = folder / "targets", folder / "results"
    write_for_vegeta(requests, targets)
    command = [program(), "attack", "-format=json", f"-targets={targets}", f"-rate={rate}", f"-duration={seconds}s"]
    bounds = [f"-max-connections={CONNECTIONS}", "-max-body=0", f"-timeout={TIMEOUT_SECONDS}s", f"-output={results}"]
    _run([*command, *bounds])
    _run([program(), "encode", "-to=csv", f"-output={results}.csv", str(results)])
    with Path(f"{results}.csv").open(newline="", encoding="utf-8") as rows:
        return summary(read_results(rows), rate=rate, seconds=seconds)


def read_results(rows: Iterable[str]) -> Iterator[Sent]:
    """What `vegeta encode -to=csv` writes. Raises CannotMeasure at the first answer that was not a success."""
    for sent_at, status, took, _, _, error, _, _, number, _, url, *_ in csv.reader(rows):
        if not 200 <= int(status) < 300:
            msg = f"{url} was answered {status} {error}".rstrip()
            raise CannotMeasure(msg)
        yield Sent(int(number), int(sent_at) / 1e9, int(took) / 1e9)


def summary(sent: Iterable[Sent], *, rate: int, seconds: int, warm_up: float = WARM_UP_SECONDS) -> Paced:
    """The percentiles of a run without its beginning, when connections are made."""
    ordered = sorted(latencies_from_due(sent, rate=rate, scheduled=rate * seconds, warm_up=warm_up))
    if not ordered:
        msg = "vegeta sent nothing"
        raise CannotMeasure(msg)
    shares = {f"{share:g}": round(percentile(ordered, share) * 1000, 3) for share in PERCENTILES}
    return Paced(len(ordered), shares, round(ordered[-1] * 1000, 3))


def _run(command: Sequence[str]) -> None:
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        msg = f"vegeta failed: {run.stderr.strip() or run.stdout.strip()}"
        raise CannotMeasure(msg)
