"""How fast a build goes: as fast as it can while nobody writes, and with rests while somebody does."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

IDLE_RATE = 20.0
"""Appended events a second up to which the service is taken for idle."""

REST = 3.0
"""While it is not: how long a rest is, measured in the work before it."""

PAGE = 10_000
"""Positions a page while the service is idle."""

SHORT_PAGE = 1000
"""The same while it is not: no statement of a build keeps a core for long."""


class Throttle:
    """Looks at how fast the logs grow, and rests accordingly."""

    def __init__(
        self,
        events: Callable[[], Awaitable[int]],
        *,
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`events` counts what was ever recorded."""
        self._events = events
        self._clock = clock
        self._sleep = sleep
        self._seen: int | None = None
        self._since = clock()
        self.busy = False

    @property
    def page(self) -> int:
        """How many positions to take next."""
        return SHORT_PAGE if self.busy else PAGE

    async def rest(self) -> None:
        """Between two pages."""
        worked = self._clock() - self._since
        events = await self._events()
        if self._seen is not None and worked > 0:
            self.busy = (events - self._seen) / worked > IDLE_RATE
        if self.busy:
            await self._sleep(worked * REST)
        self._seen, self._since = await self._events() if self.busy else events, self._clock()
