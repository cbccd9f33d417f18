"""Latencies of an open loop, measured from when each request was due, and percentiles."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

PERCENTILES = (50.0, 90.0, 99.0, 99.9)


@dataclass(frozen=True)
class SentRequest:
    """A request by its number in the schedule. Times are seconds from the start of the schedule.

    `connection_free`: when its connection had received the previous response.
    """

    number: int
    connection_free: float
    sent: float
    answered: float


@dataclass(frozen=True)
class Schedule:
    """Request n is due n/rate seconds after the start. Requests that are due during the warm-up are not counted."""

    rate: int
    seconds: int
    warm_up: float = 0.0

    @property
    def requests(self) -> int:
        """The number of all requests, including the warm-up."""
        return self.rate * self.seconds

    @property
    def counted(self) -> range:
        """The numbers of the requests after the warm-up."""
        return range(math.ceil(self.warm_up * self.rate), self.requests)

    def due(self, number: int) -> float:
        return number / self.rate


def latencies(sent: Iterable[SentRequest], schedule: Schedule, *, ended: float) -> Iterator[float]:
    """Yield the latency of each counted request in seconds.

    If the connection was busy when the request was due, the latency starts at the due time, so that a stall counts for
    every request it delays (coordinated omission). If the connection was free, it starts when the request was sent:
    the sender's own delay does not count, and `sender_lateness` reports it. A request without a response counts as
    answered at `ended`.
    """
    by_number = {request.number: request for request in sent}
    for number in schedule.counted:
        due, request = schedule.due(number), by_number.get(number)
        if request is None:
            yield ended - due
        else:
            yield request.answered - (due if request.connection_free > due else request.sent)


def sender_lateness(sent: Iterable[SentRequest], schedule: Schedule) -> Iterator[float]:
    """Yield by how many seconds the sender was late, for each request whose connection was free."""
    for request in sent:
        due = schedule.due(request.number)
        if request.number in schedule.counted and request.connection_free <= due:
            yield request.sent - due


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` per cent of the values do not exceed. Raises ValueError for no values."""
    if not ordered:
        msg = "no values, so no percentile"
        raise ValueError(msg)
    rank = -(-len(ordered) * round(share * 1000) // 100_000)  # integers, because 99.9 is not a binary fraction
    return ordered[max(rank, 1) - 1]
