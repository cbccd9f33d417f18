"""Everything one process of the service shares: the database, and the issuers wired to their logs."""

from collections.abc import Sequence
from typing import Protocol

from ledger.issuer import Issuer


class RunningService(Protocol):
    """What the HTTP application needs of the service behind it."""

    @property
    def issuers(self) -> Sequence[Issuer]:
        """The issuers served, in the order configured."""
        ...

    async def problems(self) -> Sequence[str]:
        """Why the service is not ready, one sentence each; empty when it is. Never raises."""
        ...

    async def close(self) -> None:
        """Drain what waits to be recorded, then let go of the database."""
        ...
