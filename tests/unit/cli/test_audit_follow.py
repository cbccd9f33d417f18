"""Following a log, over the log and over HTTP: every event after a position, in order and once."""

import asyncio
from contextlib import aclosing, asynccontextmanager

import pytest
from audit_scenario import ADA, record_history
from audit_service import CLIENT, AuditService, Given
from pydantic import SecretStr

from api.cli.audit import commands
from api.cli.audit.commands import follow_events
from api.cli.audit.credentials import Credentials
from api.cli.audit.http_connection import connect
from api.cli.audit.http_source import HttpSource
from api.operations.errors import OperationError
from ledger.domain.errors import Unavailable
from ledger.use_cases.audit import EventQuery

AUDITOR = Credentials(None, CLIENT["client_id"], SecretStr(CLIENT["client_secret"]))


@pytest.fixture(autouse=True)
def _retry_at_once(monkeypatch):
    monkeypatch.setattr(commands, "RETRY_SECONDS", 0.001)


@pytest.fixture
async def issuer(memory):
    issuer = memory.issuer()
    await record_history(issuer, memory.clock)
    return issuer


@pytest.fixture
async def running(memory, issuer):
    service = AuditService(memory.store)
    await service.start()
    yield service
    await service.stop()


@asynccontextmanager
async def over_http(service):
    async with connect(service.url, AUDITOR) as connection:
        yield HttpSource(connection)


@pytest.fixture(params=["log", "http"])
async def source(request, memory, issuer, running):
    if request.param == "http":
        async with over_http(running) as source:
            yield source
    else:
        source = memory.history()
        yield source
        await source._trail.events.close()


async def positions(events, count: int) -> list[int]:
    return [(await asyncio.wait_for(anext(events), 60)).position for _ in range(count)]


async def test_follow_yields_recorded_events_then_new_ones(source, issuer):
    async with aclosing(follow_events(source, EventQuery(), after=0)) as events:
        assert await positions(events, 6) == [1, 2, 3, 4, 5, 6]
        waiting = asyncio.create_task(positions(events, 2))
        await issuer.registry.disable("desk", "left", ADA)
        await issuer.registry.enable("desk", ADA)
        assert await waiting == [7, 8]


async def test_follow_applies_the_filters(source, issuer):
    query = EventQuery(types=("client.disabled", "token.revoked"), actor="operator:ada")
    async with aclosing(follow_events(source, query, after=0)) as events:
        assert await positions(events, 1) == [5]
        await issuer.registry.disable("desk", "left", ADA)
        await issuer.registry.enable("desk", ADA)
        await issuer.registry.disable("desk", "left", ADA)
        assert await positions(events, 2) == [7, 9]


async def test_follow_filters_by_client_and_instant(source, issuer, memory):
    query = EventQuery(client_id="desk", since=memory.clock.now)
    async with aclosing(follow_events(source, query, after=0)) as events:
        waiting = asyncio.create_task(positions(events, 1))
        await issuer.registry.disable("shop", "left", ADA)
        await issuer.registry.disable("desk", "left", ADA)
        assert await waiting == [8]


async def test_follow_resumes_after_a_restart_without_gaps_or_repeats(running, issuer, capsys):
    async with over_http(running) as source, aclosing(follow_events(source, EventQuery(), after=4)) as events:
        assert await positions(events, 2) == [5, 6]
        await issuer.registry.disable("desk", "left", ADA)
        assert await positions(events, 1) == [7]
        waiting = asyncio.create_task(positions(events, 3))
        await running.stop()
        await issuer.registry.enable("desk", ADA)
        await issuer.registry.disable("desk", "left", ADA)
        running.instead.append(Given(503, {"title": "Service Unavailable"}))
        await running.start()
        await issuer.registry.enable("desk", ADA)
        assert await waiting == [8, 9, 10]
    told = capsys.readouterr().err
    assert told.count("waiting: ") == 1
    assert "resuming after position 7" in told
    assert [headers["Last-Event-ID"] for path, _, headers in running.seen if "stream" in path][-1] == "7"


async def test_follow_loses_nothing_when_the_connection_breaks_in_an_event(running, issuer):
    running.cut_after = 1
    async with over_http(running) as source, aclosing(follow_events(source, EventQuery(), after=6)) as events:
        for _ in range(2):
            await issuer.registry.disable("desk", "left", ADA)
            await issuer.registry.enable("desk", ADA)
        assert await positions(events, 4) == [7, 8, 9, 10]


async def test_follow_drops_events_that_are_sent_again(memory, issuer):
    class Repeating:
        def __init__(self):
            self.real = memory.history()

        async def read_event_page(self, query, **more):
            return await self.real.read_event_page(query, **more)

        async def stream_events(self, query, *, after):
            async with aclosing(self.real.stream_events(query, after=max(after - 2, 0))) as stream:
                async for event in stream:
                    yield event

    source = Repeating()
    async with aclosing(follow_events(source, EventQuery(), after=0)) as events:
        assert await positions(events, 6) == [1, 2, 3, 4, 5, 6]
        await issuer.registry.disable("desk", "left", ADA)
        assert await positions(events, 1) == [7]
    await source.real._trail.events.close()


async def test_follow_raises_when_the_first_page_is_unavailable(running):
    await running.stop()
    async with over_http(running) as source, aclosing(follow_events(source, EventQuery(), after=0)) as events:
        with pytest.raises(Unavailable, match="cannot be reached"):
            await anext(events)
    await running.start()


async def test_follow_ends_when_it_is_refused(running):
    async with over_http(running) as source, aclosing(follow_events(source, EventQuery(), after=6)) as events:
        waiting = asyncio.create_task(positions(events, 1))
        running.instead.extend([Given(200, {"events": [], "position": 6, "next": None}), Given(403, {"detail": "No."})])
        with pytest.raises(OperationError, match=r"needs the scope audit\.read: No\."):
            await waiting
