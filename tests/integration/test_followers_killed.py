"""Two followers, killed at random while the log grows: every event is applied once, whatever happened in between."""

import asyncio
import random
from datetime import timedelta

import asyncpg
import pytest

from ledger.domain.errors import Unavailable
from ledger.domain.recording import EventMapper
from ledger.postgres.database import Database
from ledger.postgres.logs import Log
from ledger.postgres.notifications import LogNotifications
from projections.following import follower
from projections.following import lease as checkpoint
from projections.following.follower import Follower
from projections.token_history import TokenHistoryProjection
from tests.history_oracle import assert_history_is_the_fold
from tests.integration.conftest import CAUSE, ISSUER

KILLS = 25
TURNS = 30
"""At most so many turns of the event loop until the kill: it hits anywhere in a batch, or between two."""


class Process:
    """What one process has to follow with. Killed, it neither finishes a batch nor lets go of its lease."""

    def __init__(self, dsn: str, number: int) -> None:
        self._database = Database(dsn)
        self._notifications = LogNotifications(dsn)
        log = Log(self._database, ISSUER.log_name)
        self.follower = Follower(
            log, TokenHistoryProjection(EventMapper()), self._notifications, holder=f"process:{number}"
        )
        self._task = asyncio.create_task(self.follower.run())

    async def kill(self) -> None:
        """As by kill -9: its connections break wherever they are, and nothing more is sent over them."""
        self._database._refuse_until = float("inf")
        if self._database._pool is not None:
            self._database._pool.terminate()
            self._database._pool = None
        await self.stop()

    async def stop(self) -> None:
        """As by SIGTERM in the middle of whatever it does."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._notifications.close()
        await self._database.close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(follower, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(follower, "GATHER_SECONDS", 0.0)
    monkeypatch.setattr(follower, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(follower, "BATCH", 7)
    monkeypatch.setattr(checkpoint, "LEASE", timedelta(seconds=0.05))


async def write(issuer, client, over: asyncio.Event, seed: int) -> None:
    """Issue tokens and revoke some of them until it is over."""
    choose = random.Random(seed)  # noqa: S311 (to be repeated, not to be secret)
    issued = []
    while not over.is_set():
        issued.append(await issuer.issuance.issue_token(client, None, CAUSE))
        if choose.random() < 0.4:
            token = issued.pop(choose.randrange(len(issued)))
            await issuer.revocation.revoke_token(client, token.access_token, CAUSE)


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_event_is_applied_once(database, issuer, client, service, seed):
    choose = random.Random(seed)  # noqa: S311 (to be repeated, not to be secret)
    over = asyncio.Event()
    writers = [asyncio.create_task(write(issuer, client, over, seed + number)) for number in range(3)]
    running = [Process(database.service_dsn, number) for number in range(2)]
    async with asyncio.timeout(300):
        for number in range(KILLS):
            victim = await one_that_applied(running, choose.randrange(1, 40))
            for _ in range(choose.randrange(TURNS)):
                await asyncio.sleep(0)
            await (running[victim].kill if choose.random() < 0.6 else running[victim].stop)()
            running[victim] = Process(database.service_dsn, number + 2)
    over.set()
    await asyncio.gather(*writers)
    for process in running:
        await process.stop()
    await until_caught_up(service)
    connection = await asyncpg.connect(database.superuser_dsn)
    try:
        assert await assert_history_is_the_fold(connection) > KILLS
    finally:
        await connection.close()


async def one_that_applied(running: list[Process], events: int) -> int:
    """Which of them has, once one has applied so many events."""
    while True:
        for number, process in enumerate(running):
            if process.follower.counts.events >= events:
                return number
        await asyncio.sleep(0)


async def until_caught_up(service) -> None:
    """The lease of one that was killed runs out first."""
    async with asyncio.timeout(60):
        while True:
            try:
                await service.catch_up()
                (found,) = [s for s in await service.projections() if s.mode == "catch-up" and s.log == ISSUER.log_name]
                if found.lag_events == 0:
                    return
            except Unavailable:
                pass
            await asyncio.sleep(0.01)
