"""Exports and streams over PostgreSQL, while another process writes."""

import asyncio
import json

import pytest
from aiohttp import ClientSession, TCPConnector

from api.http.app import create_app
from api.http.audit import event_stream, events
from projections.audit import checkpoint
from tests.in_memory_service import LedgerTestServer
from tests.integration.conftest import CAUSE, register_client

SOON = 60.0


@pytest.fixture
async def writer(start_process):
    """The issuer in the process that writes."""
    return (await start_process()).issuers[0]


@pytest.fixture
async def service(start_process):
    """The service in the process that serves auditors."""
    return await start_process()


@pytest.fixture
async def http(service, writer):
    """A session with an auditor's token."""
    service.follow()
    await register_client(writer)
    auditor = await register_client(writer, "auditor", scopes=("audit.read",))
    issued = await writer.issuance.issue_token(auditor, ("audit.read",), CAUSE)
    server = LedgerTestServer(create_app(service))
    await server.start_server()
    headers = {"Authorization": f"Bearer {issued.access_token}"}
    async with ClientSession(server.make_url("/"), headers=headers, connector=TCPConnector(limit=0)) as session:
        yield session
    await server.close()


async def write(writer, count):
    """Issue tokens and revoke every third; returns the newest position."""
    client = await writer.clients.get("shop")

    async def one(number):
        issued = await writer.issuance.issue_token(client, None, CAUSE)
        if number % 3 == 0:
            return await writer.revocation.revoke_token(client, issued.access_token, CAUSE)
        return issued.position

    return max(await asyncio.gather(*(one(number) for number in range(count))))


async def events_of(response, until):
    """Read the documents of a stream up to a position."""
    found = []
    while not found or found[-1]["position"] < until:
        line = await asyncio.wait_for(response.content.readline(), SOON)
        if line.startswith(b"data: "):
            found.append(json.loads(line[6:]))
    return found


async def test_export_equals_the_log_when_another_process_writes(http, writer, monkeypatch):
    monkeypatch.setattr(events, "EXPORT_PAGE_EVENTS", 100)
    last = await write(writer, 600)
    rows = await writer.streams.read(0, 10_000)
    for query in ("", f"?client_id=shop&min_position={last}", "?type=token.revoked", "?actor=operator:test"):
        response = await http.get(f"/first/audit/events{query}", headers={"Accept": "application/x-ndjson"})
        assert response.status == 200, await response.text()
        lines = [json.loads(line) for line in (await response.text()).splitlines()]
        positions = [line["position"] for line in lines]
        expected = [row.position for row in rows if matches(query, row)]
        assert positions == expected
        assert len(positions) >= 200
        assert not [line for line in lines if "digest" in line["data"]]


def matches(query, row):
    if "type" in query:
        return row.topic == "token.revoked"
    return "client_id" not in query or json.loads(row.payload)["client_id"] == "shop"


@pytest.mark.parametrize("query", ["", "&client_id=shop", "&type=token.issued,token.revoked"])
async def test_stream_skips_and_repeats_nothing_when_resumed_repeatedly(http, writer, query, monkeypatch):
    """Another process writes while the stream is read."""
    monkeypatch.setattr(event_stream, "PAGE_EVENTS", 50)
    start = (await writer.streams.head()).position
    writing = asyncio.create_task(write(writer, 600))
    found = []
    last_id = start
    while last_id < start + 800:
        response = await http.get(
            f"/first/audit/events/stream?after={start}{query}", headers={"Last-Event-ID": f"{last_id}"}
        )
        assert response.status == 200, await response.text()
        found += await events_of(response, min(last_id + 170, start + 800))
        response.close()
        last_id = found[-1]["position"]
    assert await writing == start + 800
    assert [event["position"] for event in found] == list(range(start + 1, start + 801))


async def test_token_state_is_current_when_projections_lag(service, http, writer, monkeypatch):
    """No process follows the log, so searches time out, but one token is folded from its stream."""
    monkeypatch.setattr(checkpoint, "CATCH_UP_TIMEOUT_SECONDS", 0.05)
    for task in service._tasks:
        task.cancel()
    await asyncio.gather(*service._tasks, return_exceptions=True)
    issued = await writer.issuance.issue_token(await writer.clients.get("shop"), None, CAUSE)
    revoked_at = await writer.revocation.revoke_token(await writer.clients.get("shop"), issued.access_token, CAUSE)
    token = f"/first/audit/tokens/{issued.jti}"
    for query, state in ((f"?min_position={revoked_at}", "revoked"), (f"?as_of={issued.position}", "active")):
        response = await http.get(token + query)
        assert (await response.json())["state"] == state
    events = await (await http.get(f"{token}/events")).json()
    assert [event["position"] for event in events["events"]] == [issued.position, revoked_at]
    assert (await http.get(f"{token}?min_position={revoked_at + 1}")).status == 400
    response = await http.get(f"/first/audit/tokens?min_position={revoked_at}")
    assert (response.status, response.headers["Retry-After"]) == (503, "1")
    assert (await response.json())["type"].endswith(":not_caught_up")


async def test_idle_readers_share_one_read_when_an_event_arrives(service, http, writer, monkeypatch):
    reads = []
    event_log = service.issuers[0].streams
    select = event_log.read

    async def counted(*args, **more):
        reads.append(args)
        return await select(*args, **more)

    monkeypatch.setattr(event_log, "read", counted)
    readers = await asyncio.gather(*(http.get("/first/audit/events/stream") for _ in range(200)))
    assert {reader.status for reader in readers} == {200}
    for reader in readers:
        assert (await reader.content.readline()).startswith(b"id: ")
    reads.clear()
    position = await write(writer, 1)
    found = await asyncio.gather(*(events_of(reader, position - 1) for reader in readers))
    assert {tuple(event["position"] for event in events) for events in found} <= {
        (position - 1,),
        (position - 1, position),
    }
    assert len(reads) < 20
    for reader in readers:
        reader.close()
