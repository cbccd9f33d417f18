"""Processes that follow the log: one is killed, one is paused, and the other has taken over within 5 seconds."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import asyncpg
import pytest
from service_process import FollowerProcess

from api.service.composition import ServiceConfig, start_service
from ledger.domain.client import Client
from ledger.domain.events import ClientSettings
from ledger.domain.recording import Cause
from ledger.use_cases.issuer import Issuer, IssuerIdentifier
from tests.history_oracle import assert_history_is_the_fold

CAUSE = Cause(actor="operator:test")
ISSUER = "http://localhost:8085/ms-auth-server"
TAKEN_OVER_SECONDS = 5.0


@pytest.fixture
def followers(database):
    """Two processes that follow; the first of them does."""
    with ExitStack() as stack:
        flags = ("--dsn", database.service_dsn, "--issuers", ISSUER)
        yield [stack.enter_context(FollowerProcess(*flags)).wait_until_ready() for _ in range(2)]


class Ledger:
    """Writes to the log, and looks at what became of it."""

    def __init__(self, issuer: Issuer, client: Client, connection: asyncpg.Connection) -> None:
        self._issuer = issuer
        self._client = client
        self._connection = connection

    async def write(self) -> int:
        """Issue tokens and revoke some; returns the last position."""
        tokens = [await self._issuer.issuance.issue_token(self._client, None, CAUSE) for _ in range(5)]
        done = [await self._issuer.revocation.revoke_token(self._client, t.access_token, CAUSE) for t in tokens[:2]]
        assert all(done)
        return (await self._issuer.streams.head()).position

    async def holder(self) -> int | None:
        """The process that has the lease, by its id."""
        holder = await self._connection.fetchval("SELECT holder FROM projection_checkpoints")
        return None if holder is None else int(holder.rpartition(":")[2])

    async def applied(self, position: int) -> None:
        """Wait until the projection has come to a position."""
        async with asyncio.timeout(20):
            while not await self._connection.fetchval("SELECT position >= $1 FROM projection_checkpoints", position):
                pass

    async def is_the_fold(self) -> None:
        assert await assert_history_is_the_fold(self._connection) > 0


@pytest.fixture
def ledger(database):
    @asynccontextmanager
    async def open_ledger() -> AsyncIterator[Ledger]:
        service = await start_service(ServiceConfig(dsn=database.service_dsn, issuers=(IssuerIdentifier(ISSUER),)))
        connection = await asyncpg.connect(database.superuser_dsn)
        try:
            (issuer,) = service.issuers
            settings = ClientSettings(name="Shop", grant_types=("client_credentials",))
            yield Ledger(issuer, await issuer.registry.register("shop", settings, CAUSE), connection)
        finally:
            await connection.close()
            await service.close()

    return open_ledger


async def take_over(ledger: Ledger, followers, number: signal.Signals):
    """Send the holder a signal that ends or pauses it, under load; returns it and the one that took over."""
    await ledger.applied(await ledger.write())
    pids = {follower.process.pid: follower for follower in followers}
    holder = pids.pop(await ledger.holder())
    ((pid, other),) = pids.items()
    holder.send_signal(number)
    sent = time.monotonic()
    while await ledger.holder() != pid:
        assert time.monotonic() - sent < TAKEN_OVER_SECONDS, other.output
        await ledger.write()
    await ledger.applied(await ledger.write())
    assert await ledger.holder() == pid
    return holder, other


def counted(follower) -> int:
    """Events that a process took the projection past, as it says itself."""
    lines = follower.get("/metrics").body.decode().splitlines()
    (found,) = [line for line in lines if line.startswith("token_ledger_projection_events_processed_total{")]
    return int(float(found.rpartition(" ")[2]))


async def test_when_the_one_that_follows_is_killed_another_takes_over(ledger, followers):
    async with ledger() as log:
        killed, other = await take_over(log, followers, signal.SIGKILL)
        assert killed.wait_for_exit() == -signal.SIGKILL
        assert other.wait_for_event("projection followed")["projection"] == "token_history"
        await log.is_the_fold()
        assert other.stop() == 0
        assert await log.holder() is None, "the lease was not let go"


async def test_one_that_was_paused_and_wakes_up_writes_nothing(ledger, followers):
    async with ledger() as log:
        paused, other = await take_over(log, followers, signal.SIGSTOP)
        paused.send_signal(signal.SIGCONT)
        paused.wait_for_event("lease lost")
        before = counted(paused)
        await log.applied(await log.write())
        assert counted(paused) == before
        assert await log.holder() == other.process.pid
        await log.is_the_fold()
        assert [paused.stop(), other.stop()] == [0, 0]
