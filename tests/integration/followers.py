"""A projection that fails on demand, for tests of followers."""

import asyncio

from ledger.domain.recording import EventMapper
from projections.token_history import TokenHistoryProjection


class Failure(Exception):
    """Raised by a projection that cannot apply an event."""


class Failing(TokenHistoryProjection):
    """Cannot apply the events at some positions; records the positions that it applied."""

    def __init__(self, *failing: int) -> None:
        super().__init__(EventMapper())
        self.failing = failing
        self.applied: list[int] = []

    async def fold(self, connection, log_id, events):
        positions = [projected.row.position for projected in events]
        if bad := sorted(set(positions) & set(self.failing)):
            msg = f"no such thing at {bad[0]}"
            raise Failure(msg)
        await super().fold(connection, log_id, events)
        self.applied += positions


async def until(condition) -> None:
    """Wait until an async condition is true."""
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110 (only the server knows)
            await asyncio.sleep(0.01)
