"""The open loop: wrk sends at a constant rate, whether or not answers come.

Connections take turns. Where the one whose turn it is still waits for an answer, the request waits as well, and that is
part of its latency.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cannot_measure import CannotMeasure
from benchmarks.load import wrk
from benchmarks.load.latency import PERCENTILES, Schedule, Sent, latencies, lateness, percentile
from benchmarks.load.request import Request, write_for_wrk

SCRIPT = Path(__file__).with_name("send_at_rate.lua")
CONNECTIONS = 64
WARM_UP_SECONDS = 1.0
LEAD_SECONDS = 1
"""Until the schedule begins; the script has the same number."""

GRACE_SECONDS = 1
"""For the last answers, when the schedule is over."""


@dataclass(frozen=True)
class Paced:
    """Latencies of one run at a constant rate, by percentile, in ms; `worst_ms` is the longest.

    `late_p99_ms` says whether the sender kept up: how late it was, by its own fault, with all but a hundredth of the
    requests. `load_us` is its processor time for a request.
    """

    requests: int
    percentiles: dict[str, float]
    worst_ms: float
    late_p99_ms: float
    load_us: float


def pace(requests: Sequence[Request], folder: Path, *, rate: int, seconds: int) -> Paced:
    """Send so many a second for that long, round and round.

    Raises CannotMeasure when an answer was not a success, and when the sender could not keep up.
    """
    schedule = Schedule(rate, seconds, WARM_UP_SECONDS)
    for thread in range(CONNECTIONS):
        numbers = range(thread, schedule.requests, CONNECTIONS)
        write_for_wrk((requests[n % len(requests)] for n in numbers), folder / f"requests.{thread}")
    result = wrk.run(
        SCRIPT,
        requests[0].address,
        [str(folder / "requests"), str(CONNECTIONS), str(rate), str(folder / "sent")],
        load=wrk.Load(connections=CONNECTIONS, threads=CONNECTIONS),
        seconds=LEAD_SECONDS + seconds + GRACE_SECONDS,
    )
    wrk.check_answers(result, requests[0].url)
    with (folder / "sent").open() as lines:
        return summary(list(read_sent(lines)), schedule, cpu_seconds=result["cpu_seconds"])


def read_sent(lines: Iterable[str]) -> Iterator[Sent]:
    """What the script writes of each request."""
    for line in lines:
        number, free, at, answered = line.split()
        yield Sent(int(number), float(free), float(at), float(answered))


def summary(sent: Sequence[Sent], schedule: Schedule, *, cpu_seconds: float) -> Paced:
    """The percentiles of a run. Raises CannotMeasure when the sender could not keep up.

    That is when it was late by the time between two turns of a connection: its own lateness then looks like a
    connection that is busy.
    """
    took = sorted(latencies(sent, schedule, ended=schedule.seconds + GRACE_SECONDS))
    late = percentile(sorted(lateness(sent, schedule)) or [0.0], 99)
    if late > CONNECTIONS / schedule.rate:
        msg = (
            f"the sender was late by {late * 1000:.1f} ms or more with one request in a hundred: this machine cannot "
            f"send {schedule.rate} requests a second beside what else it does"
        )
        raise CannotMeasure(msg)
    return Paced(
        requests=len(took),
        percentiles={f"{share:g}": _milliseconds(percentile(took, share)) for share in PERCENTILES},
        worst_ms=_milliseconds(took[-1]),
        late_p99_ms=_milliseconds(late),
        load_us=round(cpu_seconds / schedule.requests * 1e6, 1),
    )


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
