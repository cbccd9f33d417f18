"""Two followers are killed at random while the log grows; every event is still applied exactly once."""

import asyncio
import random
from datetime import timedelta

import pytest

from ledger.domain.errors import Unavailable
from ledger.domain.recording import EventMapper
from ledger.postgres.database import Database
from ledger.postgres.logs import Log
from ledger.postgres.notifications import LogNotifications
from projections.following import batches, follower
from projections.following import lease as checkpoint
from projections.following.follower import Follower
from projections.token_history import TokenHistoryProjection
from tests.databases import connect
from tests.history_oracle import assert_history_matches_log
from tests.integration.conftest import CAUSE, ISSUER

KILLS = 25
TURNS = 30
"""At most this many turns of the event loop before each kill, which therefore hits any point of a batch."""


class Process:
    """A follower with connections of its own. A killed one neither finishes its batch nor releases its lease."""

    def __init__(self, dsn: str, number: int) -> None:
        self._database = Database(dsn)
        self._notifications = LogNotifications(dsn)
        log = Log(self._database, ISSUER.log_name)
        self.follower = Follower(
            log, TokenHistoryProjection(EventMapper()), self._notifications, holder=f"process:{number}"
        )
        self._task = asyncio.create_task(self.follower.run())

    async def kill(self) -> None:
        """Like kill -9: break its connections at once."""
        self._database._refuse_until = float("inf")
        for connection in (*self._database._idle, *self._database._lent):
            connection.terminate()
        await self.stop()

    async def stop(self) -> None:
        """Like SIGTERM: cancel it and close its connections."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._notifications.close()
        await self._database.close()


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(follower, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(follower, "GATHER_SECONDS", 0.0)
    monkeypatch.setattr(follower, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(batches, "RENEW_SECONDS", 0.02)
    monkeypatch.setattr(batches, "BATCH_SIZE", 7)
    monkeypatch.setattr(checkpoint, "LEASE_DURATION", timedelta(seconds=0.05))


async def write(issuer, client, over: asyncio.Event, seed: int) -> None:
    """Issue tokens and revoke some of them until `over` is set."""
    choose = random.Random(seed)  # noqa: S311 (repeatable, not secret)
    issued = []
    while not over.is_set():
        issued.append(await issuer.issuance.issue_token(client, None, CAUSE))
        if choose.random() < 0.4:
            token = issued.pop(choose.randrange(len(issued)))
            await issuer.revocation.revoke_token(client, token.access_token, CAUSE)


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_event_is_applied_once_when_followers_are_killed(database, issuer, client, service, seed):
    choose = random.Random(seed)  # noqa: S311 (repeatable, not secret)
    over = asyncio.Event()
    writers = [asyncio.create_task(write(issuer, client, over, seed + number)) for number in range(3)]
    running = [Process(database.service_dsn, number) for number in range(2)]
    async with asyncio.timeout(300):
        for number in range(KILLS):
            victim = await wait_for_events_applied(running, choose.randrange(1, 40))
            for _ in range(choose.randrange(TURNS)):
                await asyncio.sleep(0)
            await (running[victim].kill if choose.random() < 0.6 else running[victim].stop)()
            running[victim] = Process(database.service_dsn, number + 2)
    over.set()
    await asyncio.gather(*writers)
    for process in running:
        await process.stop()
    await until_caught_up(service)
    async with connect(database.superuser_dsn) as connection:
        assert await assert_history_matches_log(connection) > KILLS


async def wait_for_events_applied(running: list[Process], events: int) -> int:
    """Return the index of the first process that has applied this many events."""
    while True:
        for number, process in enumerate(running):
            if process.follower.counts.events >= events:
                return number
        await asyncio.sleep(0)


async def until_caught_up(service) -> None:
    """Catch up once the lease of a killed process has expired."""
    async with asyncio.timeout(60):
        while True:
            try:
                await service.catch_up()
                if not any(s.lag_events for s in await service.projections() if s.log == ISSUER.log_name):
                    return
            except Unavailable:
                pass
            await asyncio.sleep(0.01)
