"""Requests at a constant rate, whatever the answers do: a slow answer delays none of those that follow.

Each request has its instant. Its latency is counted from there, so that what waits behind a stall is not left out. How
late the sender itself was is noted beside it: percentiles mean little where that is not small.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle

import aiohttp

from benchmarks.forms import CLIENT, INTROSPECT, ISSUE, RESOURCE_SERVER, REVOKE, TOKEN

MIX = ("issue", "introspect") * 9 + ("revoke", "introspect")
"""The requests of a turn: 45 % issue, 50 % introspect, 5 % revoke."""

KINDS = ("issue", "introspect", "revoke")
SLACK_SECONDS = 3.0
"""A token this close to its expiry may be answered either way."""

CONNECTIONS = 64


@dataclass
class Latencies:
    """Milliseconds from when each request was due to its answer, by kind, and how late each was sent."""

    of: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    late: list[float] = field(default_factory=list)
    failed: int = 0
    wrong: int = 0

    @property
    def all(self) -> list[float]:
        return [ms for kind in KINDS for ms in self.of[kind]]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of them does not exceed; 0 where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Load:
    """Issues, introspects and revokes, and knows what the answers must be."""

    def __init__(self, url: Callable[[str], str], *, rate: float, lifetime: float) -> None:
        """`rate`: requests a second. `lifetime`: of a token, in seconds."""
        self._url = url
        self._rate = rate
        self._lifetime = lifetime
        self._live: deque[tuple[float, str]] = deque()
        self._over: deque[str] = deque(maxlen=1000)
        self._revoking: set[str] = set()
        self._under_way: set[asyncio.Task[None]] = set()
        self._chance = random.Random(0)  # noqa: S311 (a choice, not a secret)
        self._now = Latencies()

    def take(self) -> Latencies:
        """What was measured since this was last called."""
        taken, self._now = self._now, Latencies()
        return taken

    async def run(self, seconds: float) -> None:
        """Send for so long, then wait for the last answers."""
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:
            for due, kind in self._schedule(seconds):
                if (wait := due - time.monotonic()) > 0:
                    await asyncio.sleep(wait)
                self._now.late.append((time.monotonic() - due) * 1000)
                task = asyncio.create_task(self._send(session, kind, due))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            await asyncio.gather(*self._under_way)

    def _schedule(self, seconds: float) -> Iterator[tuple[float, str]]:
        begin = time.monotonic()
        for number, kind in zip(range(int(seconds * self._rate)), cycle(MIX), strict=False):
            yield begin + number / self._rate, kind

    async def _send(self, session: aiohttp.ClientSession, kind: str, due: float) -> None:
        try:
            await {"issue": self._issue, "introspect": self._introspect, "revoke": self._revoke}[kind](session)
        except (aiohttp.ClientError, TimeoutError):
            self._now.failed += 1
        self._now.of[kind].append((time.monotonic() - due) * 1000)

    async def _issue(self, session: aiohttp.ClientSession) -> None:
        asked = time.monotonic()
        async with session.post(self._url(TOKEN), data=ISSUE) as answer:
            body = await answer.json()
        if answer.status != 200:
            self._now.failed += 1
        else:
            self._live.append((asked, body["access_token"]))

    async def _introspect(self, session: aiohttp.ClientSession) -> None:
        self._expire()
        ended = bool(self._over) and self._chance.random() < 0.1
        if ended:
            asked, token = 0.0, self._chance.choice(self._over)
        elif self._live:
            asked, token = self._chance.choice(self._live)
        else:
            asked, token = 0.0, "unknown"
        async with session.post(self._url(INTROSPECT), data={**RESOURCE_SERVER, "token": token}) as answer:
            active = (await answer.json()).get("active")
        age = time.monotonic() - asked
        if answer.status != 200:
            self._now.failed += 1
        elif active != (asked > 0) and not (
            asked and (age > self._lifetime - SLACK_SECONDS or token in self._revoking)
        ):
            self._now.wrong += 1

    async def _revoke(self, session: aiohttp.ClientSession) -> None:
        token = self._live.pop()[1] if self._live else "unknown"
        self._revoking.add(token)
        async with session.post(self._url(REVOKE), data={**CLIENT, "token": token}) as answer:
            await answer.read()
        self._over.append(token)
        self._now.failed += answer.status != 200

    def _expire(self) -> None:
        """Move tokens past their time to those that must be inactive."""
        ended = time.monotonic() - self._lifetime - SLACK_SECONDS
        while self._live and self._live[0][0] < ended:
            self._over.append(self._live.popleft()[1])
