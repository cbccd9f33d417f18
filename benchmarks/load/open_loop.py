"""The open loop: wrk sends requests at a constant rate, whether or not responses arrive.

Connections take turns. If the next connection still waits for a response, the request waits too, and that wait is part
of its latency.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import MeasurementError
from benchmarks.load import wrk
from benchmarks.load.latency import PERCENTILES, Schedule, SentRequest, latencies, percentile, sender_lateness
from benchmarks.load.request import Request, write_requests

SCRIPT = Path(__file__).with_name("send_at_rate.lua")
CONNECTIONS = 64
WARM_UP_SECONDS = 1.0
LEAD_SECONDS = 1
"""The time before the schedule starts; the script has the same constant."""

GRACE_SECONDS = 1
"""How long the last responses may take after the end of the schedule."""


@dataclass(frozen=True)
class OpenLoopResult:
    """Latencies of one run in ms. The field names are those of the report's PacedRun.

    `late_p99_ms`: how late the sender itself was, p99. `load_us`: CPU time of the sender per request.
    """

    requests: int
    percentiles: dict[str, float]
    worst_ms: float
    late_p99_ms: float
    load_us: float


def run_open_loop(requests: Sequence[Request], folder: Path, *, rate: int, seconds: int) -> OpenLoopResult:
    """Repeat the requests at `rate` per second.

    Raises MeasurementError when a response is not a success, or when the sender cannot keep up.
    """
    schedule = Schedule(rate, seconds, WARM_UP_SECONDS)
    for thread in range(CONNECTIONS):
        numbers = range(thread, schedule.requests, CONNECTIONS)
        write_requests((requests[n % len(requests)] for n in numbers), folder / f"requests.{thread}")
    result = wrk.run_script(
        SCRIPT,
        requests[0].address,
        [str(folder / "requests"), str(CONNECTIONS), str(rate), str(folder / "sent")],
        load=wrk.Load(connections=CONNECTIONS, threads=CONNECTIONS),
        seconds=LEAD_SECONDS + seconds + GRACE_SECONDS,
    )
    wrk.check_responses(result, requests[0].url)
    with (folder / "sent").open() as lines:
        return summarize(list(parse_sent(lines)), schedule, cpu_seconds=result["cpu_seconds"])


def parse_sent(lines: Iterable[str]) -> Iterator[SentRequest]:
    """Parse the output file of the script."""
    for line in lines:
        number, *times = line.split()
        yield SentRequest(int(number), *map(float, times))


def summarize(sent: Sequence[SentRequest], schedule: Schedule, *, cpu_seconds: float) -> OpenLoopResult:
    """Compute the percentiles of a run.

    Raises MeasurementError when the sender was late by more than the time between two turns of a connection: then its
    own delay looks like a busy connection.
    """
    took = sorted(latencies(sent, schedule, ended=schedule.seconds + GRACE_SECONDS))
    late = percentile(sorted(sender_lateness(sent, schedule)) or [0.0], 99)
    if late > CONNECTIONS / schedule.rate:
        msg = (
            f"the sender was late by {late * 1000:.1f} ms or more for one request in a hundred: this machine is too "
            f"busy to send {schedule.rate} requests per second"
        )
        raise MeasurementError(msg)
    return OpenLoopResult(
        requests=len(took),
        percentiles={f"{share:g}": _milliseconds(percentile(took, share)) for share in PERCENTILES},
        worst_ms=_milliseconds(took[-1]),
        late_p99_ms=_milliseconds(late),
        load_us=round(cpu_seconds / schedule.requests * 1e6, 1),
    )


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
