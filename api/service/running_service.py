"""The service as the HTTP API sees it; `Service` implements it over PostgreSQL, the tests in memory."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct, field

from ledger.batching.group_commit import AppendCounts
from ledger.use_cases.issuer import Issuer
from projections.expiry_sweep import SweepCounts
from projections.following.batches import FollowerCounts
from projections.following.status import ProjectionStatus
from projections.view_check import ViewCheckResult


class LogCounts(Struct):
    """One issuer's log: appends that wait, audit readers that wait for events, and what was appended."""

    log: str
    waiting: int
    readers: int
    appends: AppendCounts


class ServiceCounts(Struct):
    """What the service of one process has done since it started. Metrics are made of it on a scrape."""

    logs: Sequence[LogCounts] = ()
    followers: Sequence[FollowerCounts] = ()
    sweep: SweepCounts = field(default_factory=SweepCounts)


class RunningService(Protocol):
    """What the HTTP application needs of the service behind it."""

    @property
    def issuers(self) -> Sequence[Issuer]:
        """The issuers served, in the order configured."""

    async def problems(self) -> Sequence[str]:
        """Return why the service is not ready, one sentence per problem; empty when it is ready. Never raises."""

    async def projections(self) -> Sequence[ProjectionStatus]:
        """Read the status of the projections of every log. Raises Unavailable."""

    async def sweep_lag(self) -> float:
        """Return the seconds since the last complete sweep began. Raises Unavailable."""

    async def verification(self) -> Sequence[ViewCheckResult]:
        """Return what the comparison of the views with each log has found. Raises Unavailable."""

    def counts(self) -> ServiceCounts:
        """Return the counters of this process."""

    async def close(self) -> None:
        """Append what is queued, then disconnect from the database."""
