"""The event stream: resumable, each position once and none left out, bounded, and ended when it must."""

import asyncio
import json

import pytest
from auditing import Auditor, ServerSentEvents, assert_problem
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
def hurried(monkeypatch):
    """Heartbeats come as soon as there is nothing else to do."""
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.01)


@pytest.fixture
async def listen(auditor):
    """Begins to listen; closes what is still open."""
    opened = []

    async def open_stream(last_id=None, **query):
        headers = {} if last_id is None else {"Last-Event-ID": str(last_id)}
        response = await auditor.ask("/events/stream", headers=headers, **query)
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


class TestWhatComes:
    async def test_begins_at_the_end_of_the_log(self, auditor, listen):
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

    async def test_is_what_the_log_has(self, auditor, listen):
        reader = await listen(after=0)
        end = await auditor.position()
        assert await events(reader, end) == (await auditor.get("/events", limit=1000))["events"]

    async def test_never_holds_what_is_withheld(self, auditor, listen):
        reader = await listen(after=0)
        found = json.dumps(await events(reader, await auditor.position()))
        assert '"digest"' not in found
        assert '"hash"' not in found

    async def test_is_narrowed_by_type_client_and_actor(self, auditor, listen):
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

    @pytest.mark.parametrize("name", ["subject", "since", "until", "limit", "min_position", "Last-Event-ID"])
    async def test_takes_no_other_filter(self, auditor, name):
        await assert_problem(await auditor.ask("/events/stream", **{name: 1}), 400, "invalid_request", name)


class TestResuming:
    @pytest.mark.parametrize("page", [1, 2, 500])
    async def test_skips_nothing_and_repeats_nothing(self, auditor, listen, monkeypatch, page):
        """Readers come and go while events are recorded."""
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

    async def test_goes_on_after_the_last_id_rather_than_after(self, auditor, listen):
        reader = await listen(last_id=7, after=2)
        assert positions(await events(reader, 1)) == [8]

    async def test_with_a_filter_goes_on_after_any_id(self, auditor, listen):
        end = await auditor.position()
        await auditor.caller.token("app2", "read")
        reader = await listen(last_id=0, client_id="app2", type="token.issued")
        assert positions(await events(reader, 1)) == [end + 1]

    async def test_goes_back_to_the_log_when_it_was_left_behind(self, auditor, listen, monkeypatch):
        """What it waits for comes in such numbers that not all of it is kept for those who wait."""
        monkeypatch.setattr(event_stream, "RETRY_SECONDS", 0)

        async def no_longer_kept(_query, *, after, seconds):
            return EventPage((), after, ended=False)

        monkeypatch.setattr(auditor.tenant.issuer.audit.events, "wait_for_events", no_longer_kept)
        end = await auditor.position()
        reader = await listen()
        assert await reader.block()
        await issue(auditor.caller, 3)
        assert positions(await events(reader, 3)) == [end + 1, end + 2, end + 3]

    async def test_after_a_position_that_has_not_come_is_400(self, auditor):
        response = await auditor.ask("/events/stream", after=999)
        await assert_problem(response, 400, "ahead_of_log", "after")
        response = await auditor.ask("/events/stream", headers={"Last-Event-ID": "999"})
        await assert_problem(response, 400, "ahead_of_log", "Last-Event-ID")

    @pytest.mark.parametrize("last_id", ["x", "-1", "1,2", "1 "])
    async def test_after_what_is_no_id_is_400(self, auditor, last_id):
        response = await auditor.ask("/events/stream", headers={"Last-Event-ID": last_id})
        if last_id == "1 ":  # space around the value of a header is not part of it (RFC 9110 §5.5)
            assert response.status == 200
            response.close()
        else:
            await assert_problem(response, 400, "invalid_request", "Last-Event-ID")


@pytest.mark.usefixtures("hurried")
class TestHeartbeats:
    async def test_come_when_nothing_does(self, auditor, listen):
        reader = await listen()
        end = await auditor.position()
        for _ in range(3):
            assert await reader.block() == {"id": str(end)}

    async def test_take_the_id_ahead_when_nothing_matched(self, auditor, listen):
        reader = await listen(type="client.disabled")
        await issue(auditor.caller, 3)
        end = await auditor.position()
        while (block := await asyncio.wait_for(reader.block(), SOON))["id"] != str(end):
            assert "data" not in block
        resumed = await listen(last_id=reader.last_id, type="client.disabled")
        assert await resumed.block() == {"id": str(end)}

    async def test_take_the_id_ahead_through_a_log_in_which_nothing_matches(self, auditor, listen):
        reader = await listen(after=0, type="token.revoked")
        end = await auditor.position()
        while (block := await asyncio.wait_for(reader.block(), SOON))["id"] != str(end):
            assert "data" not in block


class TestItsEnd:
    async def test_comes_before_the_next_event_when_the_token_is_revoked(self, auditor, listen):
        reader = await listen()
        await auditor.caller.token()
        assert await events(reader, 1)
        await auditor.sign_out()
        await auditor.caller.token()
        assert await asyncio.wait_for(reader.event(), SOON) is None

    @pytest.mark.usefixtures("hurried")
    async def test_comes_with_a_heartbeat_when_the_token_is_revoked_and_nothing_happens(self, auditor, listen):
        reader = await listen(type="client.disabled")
        await auditor.sign_out()
        assert await asyncio.wait_for(reader.event(), SOON) is None

    @pytest.mark.usefixtures("hurried")
    async def test_comes_with_a_heartbeat_when_the_token_expires(self, auditor, listen, service):
        reader = await listen()
        service.clock.advance(3601)
        assert await asyncio.wait_for(reader.event(), SOON) is None

    async def test_comes_when_the_log_cannot_be_read_and_nothing_is_lost(self, auditor, listen, monkeypatch):
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

    async def test_comes_at_shutdown_for_all_at_once(self, service, aiohttp_client):
        app = create_app(service)
        caller = Caller(await aiohttp_client(LedgerTestServer(app)), service.tenants[0])
        auditor = await Auditor(caller).sign_in()
        readers = [ServerSentEvents(await auditor.ask("/events/stream")) for _ in range(20)]
        for reader in readers:
            assert await reader.block()
        await asyncio.wait_for(app.shutdown(), SOON)
        assert [await asyncio.wait_for(reader.event(), SOON) for reader in readers] == [None] * 20
        late = ServerSentEvents(await auditor.ask("/events/stream"))
        assert await asyncio.wait_for(late.event(), SOON) is None

    async def test_leaves_nothing_behind_when_the_reader_goes(self, auditor, http, monkeypatch, listen):
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


class TestASlowReader:
    async def test_is_waited_for_before_more_is_read(self, auditor, monkeypatch):
        """The log has no end here. It is read no further than the connection takes, and one page is held."""
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
        stood_still = await standstill(asked)
        page = len(event_stream._blocks([template] * event_stream.PAGE_EVENTS))
        pending = [c.transport.get_write_buffer_size() for c in auditor.http.server.runner.server.connections]
        assert 0 < max(pending) < page + 2 * 65536
        assert stood_still < 100, "it is read, whether anybody takes it or not"
        received = 0
        while len(asked) == stood_still:
            received += len(await asyncio.wait_for(reader.read(65536), SOON))
        assert received
        writer.close()


async def all_ended(streams):
    """Returns once none is open."""
    async with asyncio.timeout(SOON):
        while len(streams):  # noqa: ASYNC110 (it is the service that ends them; nothing tells a test)
            await asyncio.sleep(0.01)


async def standstill(asked):
    """How often was asked, once nothing is asked any more."""
    before = -1
    while before != len(asked):
        before = len(asked)
        await asyncio.sleep(0.1)
    return before


async def issue(caller, count):
    for _ in range(count):
        await caller.tenant.issuer.issuance.issue_token(await caller.tenant.clients.get("app2"), None, CAUSE)
