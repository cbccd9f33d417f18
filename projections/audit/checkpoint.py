"""Wait until a projection that follows the log has reached a position."""

import asyncio

from ledger.postgres.event_log import PostgresEventLog
from ledger.postgres.logs import Log
from ledger.use_cases.audit import NotCaughtUp, PositionBeyondHead
from projections.following.lease import read_checkpoint
from projections.projection import Projection

CATCH_UP_TIMEOUT_SECONDS = 2.0
POLL_SECONDS = 0.02


class ProjectionCheckpoint:
    """The checkpoint of a projection in one log."""

    def __init__(self, log: Log, event_log: PostgresEventLog, projection: type[Projection]) -> None:
        self._log = log
        self._event_log = event_log
        self._name = projection.name

    async def wait_for(self, position: int) -> int:
        """Return the checkpoint once it has reached a position. Raises AheadOfLog, NotCaughtUp, Unavailable."""
        if (checkpoint := await self._read()) >= position:
            return checkpoint
        head = (await self._event_log.head()).position
        if position > head:
            raise PositionBeyondHead(position, head)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + CATCH_UP_TIMEOUT_SECONDS
        while loop.time() < deadline:
            await asyncio.sleep(POLL_SECONDS)
            if (checkpoint := await self._read()) >= position:
                return checkpoint
        msg = f"the projection {self._name} is at position {checkpoint} and has not reached {position} yet: try again"
        raise NotCaughtUp(msg)

    async def _read(self) -> int:
        return await read_checkpoint(self._log.database, await self._log.find_id(), self._name)
