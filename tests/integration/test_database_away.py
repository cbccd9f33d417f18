"""While the database is away requests are refused at once; afterwards they succeed again."""

import asyncio
import socket

import pytest

from ledger.domain.errors import QueueFull, Unavailable
from ledger.postgres import database as connections
from tests.breaking_proxy import BreakingProxy
from tests.integration.conftest import CAUSE, register_client


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(connections, "PAUSE_AFTER_REFUSAL", 0.0)


@pytest.fixture
async def proxy(database):
    async with BreakingProxy(database.service_dsn).running() as proxy:
        yield proxy


async def test_service_starts_and_reports_when_database_is_away(start_process, unused_tcp_port):
    service = await start_process(f"postgresql://somebody:hunter2hunter2@127.0.0.1:{unused_tcp_port}/none")
    (problem,) = await service.problems()
    assert "cannot be reached" in problem
    with pytest.raises(Unavailable) as caught:
        await service.issuers[0].clients.get("shop")
    assert "hunter2" not in str(caught.value) + problem


async def test_service_works_when_database_starts_later(start_process, proxy):
    proxy.refusing = True
    service = await start_process(proxy.dsn)
    assert await service.problems() != []
    proxy.refusing = False
    assert await service.problems() == []
    await register_client(service.issuers[0])


async def test_broken_connections_are_replaced(start_process, proxy):
    service = await start_process(proxy.dsn)
    issuer = service.issuers[0]
    client = await register_client(issuer)
    for writer in proxy._writers:
        writer.transport.abort()
    answers = await asyncio.gather(
        *(issuer.issuance.issue_token(client, None, CAUSE) for _ in range(20)), return_exceptions=True
    )
    assert all(isinstance(a, Unavailable) for a in answers if isinstance(a, Exception))
    issued = await issuer.issuance.issue_token(client, None, CAUSE)
    assert await issuer.introspection.find_active_token(issued.access_token) is not None


async def test_requests_are_refused_and_not_recorded_when_database_is_away(start_process, proxy, database):
    service = await start_process(proxy.dsn)
    issuer = service.issuers[0]
    client = await register_client(issuer)
    issued = await issuer.issuance.issue_token(client, None, CAUSE)
    proxy.refusing = True
    for writer in proxy._writers:
        writer.transport.abort()
    for attempt in (
        issuer.issuance.issue_token(client, None, CAUSE),
        issuer.introspection.find_active_token(issued.access_token),
        issuer.revocation.revoke_token(client, issued.access_token, CAUSE),
        issuer.clients.get("shop"),
    ):
        with pytest.raises(Unavailable):
            await attempt
    direct = (await start_process()).issuers[0]
    assert (await direct.streams.head()).position == 2
    assert await direct.introspection.find_active_token(issued.access_token) is not None


async def test_requests_are_refused_at_once_when_a_connection_just_failed(start_process, proxy, monkeypatch):
    monkeypatch.setattr(connections, "PAUSE_AFTER_REFUSAL", 3600.0)
    proxy.refusing = True
    service = await start_process(proxy.dsn)
    with pytest.raises(Unavailable):
        await service.issuers[0].clients.get("shop")
    proxy.refusing = False
    with pytest.raises(Unavailable, match="a moment ago"):
        await service.issuers[0].clients.get("shop")


async def test_connection_times_out_when_host_does_not_respond(start_process, monkeypatch):
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.05)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        service = await start_process(f"postgresql://x@127.0.0.1:{silent.getsockname()[1]}/none")
        with pytest.raises(Unavailable, match="TimeoutError"):
            await service.issuers[0].clients.get("shop")


async def test_appends_are_refused_at_once_when_the_queue_is_full(start_process):
    issuer = (await start_process(max_waiting_appends=5)).issuers[0]
    client = await register_client(issuer)
    answers = await asyncio.gather(
        *(issuer.issuance.issue_token(client, None, CAUSE) for _ in range(30)), return_exceptions=True
    )
    refused = [a for a in answers if isinstance(a, QueueFull)]
    assert refused
    assert len(answers) - len(refused) + 1 == (await issuer.streams.head()).position
