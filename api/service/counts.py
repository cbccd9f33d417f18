"""What the service of one process has done since it started, as plain numbers. Metrics are made of them on a scrape."""

from collections.abc import Sequence

from msgspec import Struct, field

from ledger.batching.append_counts import AppendCounts
from projections.expiry_sweep import SweepCounts
from projections.following.batches import FollowerCounts


class LogCounts(Struct):
    """One issuer's log: appends that wait, audit readers that wait for events, and what was appended."""

    log: str
    waiting: int
    readers: int
    appends: AppendCounts


class ServiceCounts(Struct):
    """The counts of every log and follower, and of the expiry sweep."""

    logs: Sequence[LogCounts] = ()
    followers: Sequence[FollowerCounts] = ()
    sweep: SweepCounts = field(default_factory=SweepCounts)
