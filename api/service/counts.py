"""What one process has done since it started, in plain numbers that cost next to nothing to keep.

They are made into metrics when somebody asks for those.
"""

from bisect import bisect_left
from collections.abc import Sequence

from msgspec import Struct, field

from ledger.batching.append_counts import AppendCounts
from projections.expiry_sweep import SweepCounts
from projections.following.follower import FollowerCounts

SECONDS_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""The upper bounds of durations that are counted together, in seconds; longer ones are counted last."""


class RequestCounts(Struct):
    """The requests to one endpoint: how many were answered with each status, and how long they took."""

    endpoint: str
    issuer: str
    statuses: dict[int, int] = field(default_factory=dict)
    durations: list[int] = field(default_factory=lambda: [0] * (len(SECONDS_BOUNDS) + 1))
    seconds: float = 0.0

    def add(self, status: int, seconds: float) -> None:
        """Count a request."""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.durations[bisect_left(SECONDS_BOUNDS, seconds)] += 1
        self.seconds += seconds


class LogCounts(Struct):
    """One issuer's log: writes that wait, readers that wait for news, and what was appended."""

    log: str
    waiting: int
    readers: int
    appends: AppendCounts


class ServiceCounts(Struct):
    """What the service of one process has done: by log, by follower, and at the sweep of all logs."""

    logs: Sequence[LogCounts] = ()
    followers: Sequence[FollowerCounts] = ()
    sweep: SweepCounts = field(default_factory=SweepCounts)


class ProcessCounts(Struct):
    """All that one process has counted. `process` is its id."""

    process: int
    service: ServiceCounts
    requests: Sequence[RequestCounts] = ()


class RequestMeter:
    """The counts of every endpoint of a process."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], RequestCounts] = {}

    @property
    def counts(self) -> Sequence[RequestCounts]:
        """Those of all endpoints that were asked for here."""
        return list(self._counts.values())

    def of(self, endpoint: str, issuer: str | None) -> RequestCounts:
        """Those of one endpoint; `issuer` is the name of its log."""
        key = endpoint, issuer or ""
        return self._counts.setdefault(key, RequestCounts(*key))
