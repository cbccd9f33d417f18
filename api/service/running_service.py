"""The service as the HTTP API sees it; `Service` implements it over PostgreSQL, the tests in memory."""

from collections.abc import Sequence
from typing import Protocol

from api.service.counts import ServiceCounts
from ledger.use_cases.issuer import Issuer
from projections.following.status import ProjectionStatus


class RunningService(Protocol):
    """What the HTTP application needs of the service behind it."""

    @property
    def issuers(self) -> Sequence[Issuer]:
        """The issuers served, in the order configured."""
        ...

    async def problems(self) -> Sequence[str]:
        """Why the service is not ready, one sentence each; empty when it is. Never raises."""
        ...

    async def projections(self) -> Sequence[ProjectionStatus]:
        """How the projections of each issuer's log are. Raises Unavailable."""
        ...

    async def sweep_lag(self) -> float:
        """How many seconds ago the last whole walk of the sweep began. Raises Unavailable."""
        ...

    def counts(self) -> ServiceCounts:
        """What this process has done so far."""
        ...

    async def close(self) -> None:
        """Drain what waits to be recorded, then let go of the database."""
        ...
