"""Throttle a build: full speed while the service is idle, with rests while it appends events."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

IDLE_EVENTS_PER_SECOND = 20.0
"""Up to this append rate the service counts as idle."""

REST_RATIO = 3.0
"""Length of a rest while the service is busy, relative to the work before it."""

PAGE_POSITIONS = 10_000
"""Positions per page while the service is idle."""

SHORT_PAGE_POSITIONS = 1000
"""Positions per page while it is busy, so that no statement of a build occupies a core for long."""


class Throttle:
    """Measures the append rate and rests accordingly."""

    def __init__(
        self,
        count_events: Callable[[], Awaitable[int]],
        *,
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._count_events = count_events
        self._clock = clock
        self._sleep = sleep
        self._counted: int | None = None
        self._since = clock()
        self.busy = False

    @property
    def page_size(self) -> int:
        """How many positions the next page has."""
        return SHORT_PAGE_POSITIONS if self.busy else PAGE_POSITIONS

    async def rest(self) -> None:
        """Rest between two pages if the service is busy."""
        worked = self._clock() - self._since
        events = await self._count_events()
        if self._counted is not None and worked > 0:
            self.busy = (events - self._counted) / worked > IDLE_EVENTS_PER_SECOND
        if self.busy:
            await self._sleep(worked * REST_RATIO)
        self._counted, self._since = await self._count_events() if self.busy else events, self._clock()
