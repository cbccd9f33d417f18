"""Latencies from the moment a request was due, and their percentiles."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PERCENTILES = (50.0, 90.0, 99.0, 99.9)


@dataclass(frozen=True)
class Sent:
    """One request of an open loop: its number in the schedule, when it was sent, and how long the answer took, in s."""

    number: int
    at: float
    took: float


def latencies_from_due(sent: Iterable[Sent], *, rate: float, scheduled: int, warm_up: float = 0.0) -> list[float]:
    """Seconds from when each of the `scheduled` requests was due to its answer.

    Request n is due n/rate after the schedule began. None is sent before it is due, so the schedule began no later than
    the least late of them says; the lateness of all others, whether the server or the sender caused it, is theirs. One
    that was never sent, because the sender had come to its end, counts as if it had been answered last of all. What was
    due in the first `warm_up` seconds is left out.
    """
    requests = {request.number: request for request in sent}
    if not requests:
        return []
    begin = min(request.at - request.number / rate for request in requests.values())
    last = max(request.at + request.took for request in requests.values())
    answered = ((number, requests.get(number)) for number in range(math.ceil(warm_up * rate), scheduled))
    return [
        (last if request is None else request.at + request.took) - (begin + number / rate)
        for number, request in answered
    ]


def percentile(ordered: Sequence[float], share: float) -> float:
    """The least value that `share` per cent of them do not exceed. Raises ValueError when there are none."""
    if not ordered:
        msg = "no values, so no percentile"
        raise ValueError(msg)
    rank = -(-len(ordered) * round(share * 1000) // 100_000)  # in whole numbers: 99.9 is no binary fraction
    return ordered[max(rank, 1) - 1]
