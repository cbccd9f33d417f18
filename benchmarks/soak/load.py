"""Requests at a constant rate: a slow response does not delay later requests.

The latency of a request starts at its due time, so that it includes the wait during a stall. The sender also records
how late it was itself: percentiles mean little when that is not small.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle

import aiohttp

from benchmarks.demo_service import CLIENT, INTROSPECT, ISSUE, RESOURCE_SERVER, REVOKE, TOKEN

MIX = ("issue", "introspect") * 9 + ("revoke", "introspect")
"""45 % issue, 50 % introspect, 5 % revoke."""

KINDS = ("issue", "introspect", "revoke")
SLACK_SECONDS = 3.0
"""A token this close to its expiry may be active or inactive."""

CONNECTIONS = 64


@dataclass
class Latencies:
    """Milliseconds from due time to response by kind, and how late each request was sent."""

    of: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    late: list[float] = field(default_factory=list)
    failed: int = 0
    wrong: int = 0

    @property
    def all(self) -> list[float]:
        return [ms for kind in KINDS for ms in self.of[kind]]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that this share of the values does not exceed; 0 for no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Load:
    """Issues, introspects and revokes, and checks the responses."""

    def __init__(self, url: Callable[[str], str], *, rate: float, lifetime: float) -> None:
        """`rate`: requests per second. `lifetime`: of a token, in seconds."""
        self._url = url
        self._rate = rate
        self._lifetime = lifetime
        self._live: deque[tuple[float, str]] = deque()
        self._inactive: deque[str] = deque(maxlen=1000)
        self._revoking: set[str] = set()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._random = random.Random(0)  # noqa: S311 (not for security)
        self._latencies = Latencies()

    def take(self) -> Latencies:
        """Return the latencies since the last call."""
        taken, self._latencies = self._latencies, Latencies()
        return taken

    async def run(self, seconds: float) -> None:
        """Send for that long, then wait for the last responses."""
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:
            for due, kind in self._schedule(seconds):
                if (wait := due - time.monotonic()) > 0:
                    await asyncio.sleep(wait)
                self._latencies.late.append((time.monotonic() - due) * 1000)
                task = asyncio.create_task(self._send(session, kind, due))
                self._in_flight.add(task)
                task.add_done_callback(self._in_flight.discard)
            await asyncio.gather(*self._in_flight)

    def _schedule(self, seconds: float) -> Iterator[tuple[float, str]]:
        begin = time.monotonic()
        for number, kind in zip(range(int(seconds * self._rate)), cycle(MIX), strict=False):
            yield begin + number / self._rate, kind

    async def _send(self, session: aiohttp.ClientSession, kind: str, due: float) -> None:
        try:
            await {"issue": self._issue, "introspect": self._introspect, "revoke": self._revoke}[kind](session)
        except (aiohttp.ClientError, TimeoutError):
            self._latencies.failed += 1
        self._latencies.of[kind].append((time.monotonic() - due) * 1000)

    async def _issue(self, session: aiohttp.ClientSession) -> None:
        issued_at = time.monotonic()
        async with session.post(self._url(TOKEN), data=ISSUE) as response:
            body = await response.json()
        if response.status != 200:
            self._latencies.failed += 1
        else:
            self._live.append((issued_at, body["access_token"]))

    async def _introspect(self, session: aiohttp.ClientSession) -> None:
        self._expire()
        choose_inactive = bool(self._inactive) and self._random.random() < 0.1
        if choose_inactive:
            issued_at, token = 0.0, self._random.choice(self._inactive)
        elif self._live:
            issued_at, token = self._random.choice(self._live)
        else:
            issued_at, token = 0.0, "unknown"
        async with session.post(self._url(INTROSPECT), data={**RESOURCE_SERVER, "token": token}) as response:
            active = (await response.json()).get("active")
        age = time.monotonic() - issued_at
        if response.status != 200:
            self._latencies.failed += 1
        elif active != (issued_at > 0) and not (
            issued_at and (age > self._lifetime - SLACK_SECONDS or token in self._revoking)
        ):
            self._latencies.wrong += 1

    async def _revoke(self, session: aiohttp.ClientSession) -> None:
        token = self._live.pop()[1] if self._live else "unknown"
        self._revoking.add(token)
        async with session.post(self._url(REVOKE), data={**CLIENT, "token": token}) as response:
            await response.read()
        self._inactive.append(token)
        self._latencies.failed += response.status != 200

    def _expire(self) -> None:
        """Move expired tokens to the inactive ones."""
        ended = time.monotonic() - self._lifetime - SLACK_SECONDS
        while self._live and self._live[0][0] < ended:
            self._inactive.append(self._live.popleft()[1])
