"""Latencies of an open loop from the moment a request was due, and percentiles."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

PERCENTILES = (50.0, 90.0, 99.0, 99.9)


@dataclass(frozen=True)
class Sent:
    """An answered request: its number in the schedule, and when its connection was free for it, when it was sent and
    when it was answered, in seconds from the begin of the schedule."""

    number: int
    free: float
    at: float
    answered: float


@dataclass(frozen=True)
class Schedule:
    """Request n is due n/rate after the begin, for so many seconds. What is due in the warm-up is left out."""

    rate: int
    seconds: int
    warm_up: float = 0.0

    @property
    def requests(self) -> int:
        """All of them, the warm-up included."""
        return self.rate * self.seconds

    @property
    def counted(self) -> range:
        """The numbers of those that count."""
        return range(math.ceil(self.warm_up * self.rate), self.requests)

    def due(self, number: int) -> float:
        """Seconds after the begin."""
        return number / self.rate


def latencies(sent: Iterable[Sent], schedule: Schedule, *, ended: float) -> Iterator[float]:
    """Seconds that each request of the schedule took.

    Where the connection was still busy when the request was due, it counts from then: a server that keeps the sender
    waiting is charged with the wait (coordinated omission). Where it was free, it counts from when it was sent: how
    late the sender itself was is not the server's, and `lateness` has it. One that was never sent or answered counts
    from when it was due as if it had been answered in the end, when nobody waited any longer.
    """
    requests = {request.number: request for request in sent}
    for number in schedule.counted:
        due, request = schedule.due(number), requests.get(number)
        if request is None:
            yield ended - due
        else:
            yield request.answered - (due if request.free > due else request.at)


def lateness(sent: Iterable[Sent], schedule: Schedule) -> Iterator[float]:
    """Seconds by which the sender missed when a request was due, of each whose connection was free."""
    for request in sent:
        due = schedule.due(request.number)
        if request.number in schedule.counted and request.free <= due:
            yield request.at - due


def percentile(ordered: Sequence[float], share: float) -> float:
    """The least value that `share` per cent of them do not exceed. Raises ValueError when there are none."""
    if not ordered:
        msg = "no values, so no percentile"
        raise ValueError(msg)
    rank = -(-len(ordered) * round(share * 1000) // 100_000)  # in whole numbers: 99.9 is no binary fraction
    return ordered[max(rank, 1) - 1]
