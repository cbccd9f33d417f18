"""Two processes follow the log; when the lease holder is killed or paused, the other takes over."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import asyncpg
import pytest
from service_process import TIMEOUT_SECONDS, FollowerProcess

from api.service.composition import Service, ServiceConfig
from ledger.domain.client import Client
from ledger.domain.events import ClientSettings
from ledger.domain.recording import Cause
from ledger.use_cases.issuer import Issuer, IssuerIdentifier
from projections.following.follower import POLL_SECONDS
from projections.following.lease import LEASE_DURATION
from tests.databases import connect
from tests.history_oracle import assert_history_matches_log

CAUSE = Cause(actor="operator:test")
ISSUER = "http://localhost:8085/ms-auth-server"
CHECKPOINT = "FROM projection_checkpoints WHERE projection = 'token_history'"


@pytest.fixture
def followers(database):
    with ExitStack() as stack:
        flags = ("--dsn", database.service_dsn, "--issuers", ISSUER)
        yield [stack.enter_context(FollowerProcess(*flags)).wait_until_ready() for _ in range(2)]


class Ledger:
    """Writes to the log and reads what the projection made of it."""

    def __init__(self, issuer: Issuer, client: Client, connection: asyncpg.Connection) -> None:
        self._issuer = issuer
        self._client = client
        self._connection = connection

    async def write(self) -> int:
        """Issue tokens and revoke some; return the head."""
        tokens = [await self._issuer.issuance.issue_token(self._client, None, CAUSE) for _ in range(5)]
        done = [await self._issuer.revocation.revoke_token(self._client, t.access_token, CAUSE) for t in tokens[:2]]
        assert all(done)
        return (await self._issuer.streams.head()).position

    async def lease_holder(self) -> int | None:
        """Return the process id of the lease holder."""
        holder = await self._connection.fetchval(f"SELECT holder {CHECKPOINT}")
        return None if holder is None else int(holder.rpartition(":")[2])

    async def wait_until_applied(self, position: int) -> None:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while not await self._connection.fetchval(f"SELECT position >= $1 {CHECKPOINT}", position):
                pass

    async def assert_history_matches_log(self) -> None:
        assert await assert_history_matches_log(self._connection) > 0


@pytest.fixture
def ledger(database):
    @asynccontextmanager
    async def open_ledger() -> AsyncIterator[Ledger]:
        config = ServiceConfig(dsn=database.service_dsn, issuers=(IssuerIdentifier(ISSUER),))
        async with Service(config) as service, connect(database.superuser_dsn) as connection:
            (issuer,) = service.issuers
            settings = ClientSettings(name="Shop", grant_types=("client_credentials",))
            yield Ledger(issuer, await issuer.registry.register("shop", settings, CAUSE), connection)

    return open_ledger


async def take_over(ledger: Ledger, followers, number: signal.Signals):
    """Send the lease holder a signal that ends or pauses it, under load; return it and its successor."""
    await ledger.wait_until_applied(await ledger.write())
    pids = {follower.process.pid: follower for follower in followers}
    holder = pids.pop(await ledger.lease_holder())
    ((pid, successor),) = pids.items()
    holder.send_signal(number)
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while await ledger.lease_holder() != pid:
            await ledger.write()
    await ledger.wait_until_applied(await ledger.write())
    assert await ledger.lease_holder() == pid
    return holder, successor


def count_processed_events(follower) -> int:
    lines = follower.get("/metrics").body.decode().splitlines()
    counts = [line for line in lines if line.startswith("token_ledger_projection_events_processed_total{")]
    (found,) = [line for line in counts if 'projection="token_history"' in line]
    return int(float(found.rpartition(" ")[2]))


async def test_follower_takes_over_when_the_lease_holder_is_killed(ledger, followers):
    async with ledger() as log:
        killed, successor = await take_over(log, followers, signal.SIGKILL)
        assert killed.wait_for_exit() == -signal.SIGKILL
        successor.wait_for_event("projection followed")
        await log.assert_history_matches_log()
        assert successor.stop() == 0
        assert await log.lease_holder() is None, "the lease was not released"


async def test_follower_writes_nothing_when_it_resumes_after_losing_its_lease(ledger, followers):
    async with ledger() as log:
        paused, successor = await take_over(log, followers, signal.SIGSTOP)
        paused.send_signal(signal.SIGCONT)
        paused.wait_for_event("lease lost")
        before = count_processed_events(paused)
        await log.wait_until_applied(await log.write())
        assert count_processed_events(paused) == before
        assert await log.lease_holder() == successor.process.pid
        await log.assert_history_matches_log()
        assert [paused.stop(), successor.stop()] == [0, 0]


def test_lease_of_a_dead_follower_is_free_within_five_seconds():
    """How long a projection stands still: until the lease ends, and until the next look at it."""
    assert LEASE_DURATION.total_seconds() + POLL_SECONDS <= 5
