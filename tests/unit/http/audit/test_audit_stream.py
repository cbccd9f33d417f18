"""The event stream: resumable, each position exactly once, in bounded memory."""

import asyncio
import json

import pytest
from auditor import Auditor, ServerSentEvents, assert_problem
from memory_service import Caller, LedgerTestServer
from msgspec.structs import replace

from api.http.app import create_app
from api.http.audit import event_stream, streaming
from ledger.domain.errors import Unavailable
from ledger.domain.recording import Cause
from ledger.use_cases.audit import EventPage

CAUSE = Cause(actor="client:app2")
SOON = 60.0


@pytest.fixture
def fast_heartbeats(monkeypatch):
    """Send heartbeats without delay."""
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.01)


@pytest.fixture
async def listen(auditor):
    """Opens streams; closes them after the test."""
    opened = []

    async def open_stream(last_id=None, **query):
        headers = {} if last_id is None else {"Last-Event-ID": str(last_id)}
        response = await auditor.request("/events/stream", headers=headers, **query)
        assert response.status == 200, await response.text()
        opened.append(response)
        return ServerSentEvents(response)

    yield open_stream
    for response in opened:
        response.close()


async def events(reader, count):
    return [await asyncio.wait_for(reader.event(), SOON) for _ in range(count)]


def positions(found):
    return [event["position"] for event in found]


class TestStreamedEvents:
    async def test_begin_at_the_head_when_no_position_is_given(self, auditor, listen):
        reader = await listen()
        end = await auditor.position()
        assert reader.response.headers["Content-Type"] == "text/event-stream"
        assert reader.response.headers["Cache-Control"] == "no-store"
        assert reader.response.headers["Token-Ledger-Position"] == str(end)
        assert await reader.block() == {"id": str(end)}
        token = await auditor.caller.token("app", "read")
        await auditor.caller.post("revoke", token=token)
        assert [event["type"] for event in await events(reader, 2)] == ["token.issued", "token.revoked"]
        assert reader.last_id == end + 2

    async def test_equal_the_log_when_read_from_the_beginning(self, auditor, listen):
        reader = await listen(after=0)
        end = await auditor.position()
        assert await events(reader, end) == (await auditor.get("/events", limit=1000))["events"]

    async def test_have_no_withheld_fields(self, auditor, listen):
        reader = await listen(after=0)
        found = json.dumps(await events(reader, await auditor.position()))
        assert '"digest"' not in found
        assert '"hash"' not in found

    async def test_are_selected_when_filtered_by_type_client_or_actor(self, auditor, listen):
        end = await auditor.position()
        readers = [
            await listen(type="token.revoked,client.enabled"),
            await listen(client_id="app2"),
            await listen(actor="client:app2"),
        ]
        token = await auditor.caller.token("app2", "read")
        await auditor.caller.token("app", "read")
        await auditor.caller.post("revoke", "app2", token=token)
        await auditor.enable()
        assert positions(await events(readers[0], 2)) == [end + 3, end + 4]
        assert positions(await events(readers[1], 2)) == [end + 1, end + 3]
        assert positions(await events(readers[2], 2)) == [end + 1, end + 3]


class TestResumedStream:
    @pytest.mark.parametrize("page", [1, 2, 500])
    async def test_skips_and_repeats_nothing_when_readers_reconnect(self, auditor, listen, monkeypatch, page):
        """Readers reconnect while events are appended."""
        monkeypatch.setattr(event_stream, "PAGE_EVENTS", page)
        end = await auditor.position()
        found, last_id = [], end
        writing = asyncio.create_task(issue(auditor.caller, 30))
        while len(found) < 30:
            reader = await listen(last_id=last_id)
            found += positions(await events(reader, min(7, 30 - len(found))))
            reader.response.close()
            last_id = reader.last_id
        await writing
        assert found == list(range(end + 1, end + 31))

    async def test_prefers_last_event_id_when_after_is_given_too(self, auditor, listen):
        reader = await listen(last_id=7, after=2)
        assert positions(await events(reader, 1)) == [8]

    async def test_starts_at_any_id_when_filtered(self, auditor, listen):
        end = await auditor.position()
        await auditor.caller.token("app2", "read")
        reader = await listen(last_id=0, client_id="app2", type="token.issued")
        assert positions(await events(reader, 1)) == [end + 1]

    async def test_reads_the_log_when_notifications_were_dropped(self, auditor, listen, monkeypatch):
        """So many events arrive that the notifier drops some of them."""
        monkeypatch.setattr(event_stream, "RETRY_SECONDS", 0)

        async def no_longer_kept(_query, *, after, seconds):
            return EventPage((), after, ended=False)

        monkeypatch.setattr(auditor.tenant.issuer.audit.events, "wait_for_events", no_longer_kept)
        end = await auditor.position()
        reader = await listen()
        assert await reader.block()
        await issue(auditor.caller, 3)
        assert positions(await events(reader, 3)) == [end + 1, end + 2, end + 3]

    async def test_responds_400_when_position_is_beyond_the_head(self, auditor):
        response = await auditor.request("/events/stream", headers={"Last-Event-ID": "999"})
        await assert_problem(response, 400, "ahead_of_log", "Last-Event-ID")

    @pytest.mark.parametrize("last_id", ["x", "-1", "1,2", "1 "])
    async def test_responds_400_when_last_event_id_is_malformed(self, auditor, last_id):
        response = await auditor.request("/events/stream", headers={"Last-Event-ID": last_id})
        if last_id == "1 ":  # space around the value of a header is not part of it (RFC 9110 §5.5)
            assert response.status == 200
            response.close()
        else:
            await assert_problem(response, 400, "invalid_request", "Last-Event-ID")


@pytest.mark.usefixtures("fast_heartbeats")
class TestHeartbeats:
    async def test_are_sent_when_nothing_is_recorded(self, auditor, listen):
        reader = await listen()
        end = await auditor.position()
        for _ in range(3):
            assert await reader.block() == {"id": str(end)}

    async def test_advance_the_id_when_no_event_matches(self, auditor, listen):
        reader = await listen(type="client.disabled")
        await issue(auditor.caller, 3)
        end = await auditor.position()
        while (block := await asyncio.wait_for(reader.block(), SOON))["id"] != str(end):
            assert "data" not in block
        resumed = await listen(last_id=reader.last_id, type="client.disabled")
        assert await resumed.block() == {"id": str(end)}

    async def test_advance_the_id_when_no_event_of_the_log_matches(self, auditor, listen):
        reader = await listen(after=0, type="token.revoked")
        end = await auditor.position()
        while (block := await asyncio.wait_for(reader.block(), SOON))["id"] != str(end):
            assert "data" not in block


class TestStreamEnd:
    async def test_comes_before_the_next_event_when_token_is_revoked(self, auditor, listen):
        reader = await listen()
        await auditor.caller.token()
        assert await events(reader, 1)
        await auditor.sign_out()
        await auditor.caller.token()
        assert await asyncio.wait_for(reader.event(), SOON) is None

    @pytest.mark.usefixtures("fast_heartbeats")
    async def test_comes_with_a_heartbeat_when_token_is_revoked(self, auditor, listen):
        reader = await listen(type="client.disabled")
        await auditor.sign_out()
        assert await asyncio.wait_for(reader.event(), SOON) is None

    @pytest.mark.usefixtures("fast_heartbeats")
    async def test_comes_with_a_heartbeat_when_token_expires(self, auditor, listen, service):
        reader = await listen()
        service.clock.advance(3601)
        assert await asyncio.wait_for(reader.event(), SOON) is None

    async def test_loses_no_event_when_the_log_is_unavailable(self, auditor, listen, monkeypatch):
        reader = await listen()
        await auditor.caller.token()
        assert await events(reader, 1)

        async def away(*_args, **_more):
            msg = "away"
            raise Unavailable(msg)

        with monkeypatch.context() as broken:
            broken.setattr(auditor.tenant.issuer.audit.events, "wait_for_events", away)
            await auditor.caller.token()
            rest = []
            while (event := await asyncio.wait_for(reader.event(), SOON)) is not None:
                rest.append(event)
        resumed = await listen(last_id=reader.last_id)
        if not rest:
            assert positions(await events(resumed, 1)) == [await auditor.position()]

    async def test_comes_to_all_streams_when_service_stops(self, service, aiohttp_client):
        app = create_app(service)
        caller = Caller(await aiohttp_client(LedgerTestServer(app)), service.tenants[0])
        auditor = await Auditor(caller).sign_in()
        readers = [ServerSentEvents(await auditor.request("/events/stream")) for _ in range(20)]
        for reader in readers:
            assert await reader.block()
        await asyncio.wait_for(app.shutdown(), SOON)
        assert [await asyncio.wait_for(reader.event(), SOON) for reader in readers] == [None] * 20
        late = ServerSentEvents(await auditor.request("/events/stream"))
        assert await asyncio.wait_for(late.event(), SOON) is None

    async def test_releases_the_stream_when_reader_disconnects(self, auditor, http, monkeypatch, listen):
        monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.01)
        opened = []
        run = streaming.OpenStreams.run

        async def watched(self, body):
            opened.append(self)
            return await run(self, body)

        monkeypatch.setattr(streaming.OpenStreams, "run", watched)
        reader = await listen()
        assert await reader.block()
        assert [len(streams) for streams in opened] == [1]
        reader.response.close()
        await all_ended(opened[0])


class TestSlowReader:
    async def test_holds_one_page_when_log_is_endless(self, auditor, monkeypatch):
        """The log is endless; the service reads ahead one page only."""
        template = (await auditor.tenant.events())[0]
        asked = []

        async def endless(_query, *, after, limit, **_more):
            asked.append(after)
            rows = [replace(template, position=position) for position in range(after + 1, after + 1 + limit)]
            return EventPage(rows, rows[-1].position, ended=False)

        monkeypatch.setattr(auditor.tenant.issuer.audit.events, "find_events", endless)
        reader, writer = await asyncio.open_connection(auditor.http.host, auditor.http.port, limit=1024)
        request = f"GET {auditor.base}/events/stream?after=0 HTTP/1.1\r\nHost: x\r\n"
        writer.write(f"{request}Authorization: Bearer {auditor.token}\r\n\r\n".encode())
        await reader.readexactly(100)
        read_count = await standstill(asked)
        page = len(event_stream._blocks([template] * event_stream.PAGE_EVENTS))
        pending = [c.transport.get_write_buffer_size() for c in auditor.http.server.runner.server.connections]
        assert 0 < max(pending) < page + 2 * 65536
        assert read_count < 100, "the service reads ahead of a slow reader"
        received = 0
        while len(asked) == read_count:
            received += len(await asyncio.wait_for(reader.read(65536), SOON))
        assert received
        writer.close()


async def all_ended(streams):
    """Wait until no stream is open."""
    async with asyncio.timeout(SOON):
        while len(streams):  # noqa: ASYNC110 (it is the service that ends them; nothing tells a test)
            await asyncio.sleep(0.01)


async def standstill(asked):
    """Wait until no more reads happen; returns their number."""
    before = -1
    while before != len(asked):
        before = len(asked)
        await asyncio.sleep(0.1)
    return before


async def issue(caller, count):
    for _ in range(count):
        await caller.tenant.issuer.issuance.issue_token(await caller.tenant.clients.get("app2"), None, CAUSE)
