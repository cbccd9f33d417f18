"""Small forms that arrive whole take a fast path. A client sees no difference but the time."""

import asyncio
import re
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import pytest
from memory_service import FORM, Caller, LedgerTestServer, both_ways
from structlog.testing import capture_logs

from api.http.app import create_app
from api.http.fast_path import connection
from api.http.fast_path.connection import FastPathConnection


class HeldLog:
    """Holds appends back until `gate` is set."""

    def __init__(self, tenant) -> None:
        self._append = tenant.event_log.append
        self.gate = asyncio.Event()
        self.reached = asyncio.Event()
        tenant.event_log.append = self.append

    async def append(self, writes):
        self.reached.set()
        await self.gate.wait()
        return await self._append(writes)


@pytest.fixture
def held(service):
    return HeldLog(service.tenants[0])


@pytest.fixture
def taken(monkeypatch) -> list[str]:
    """The paths of the requests that took the fast path."""
    paths: list[str] = []
    start = FastPathConnection._start_handling

    def note(self, *arguments) -> None:
        paths.append(self._messages[0][0].path)
        start(self, *arguments)

    monkeypatch.setattr(FastPathConnection, "_start_handling", note)
    return paths


@asynccontextmanager
async def connected(http):
    reader, writer = await asyncio.open_connection(http.server.host, http.server.port)
    try:
        async with asyncio.timeout(60):
            yield reader, writer
    finally:
        writer.close()


def form(caller, endpoint: str = "token", client_id: str = "app", extra: str = "", **parameters: str) -> bytes:
    if endpoint == "token":
        parameters = {"grant_type": "client_credentials", **parameters}
    body = urlencode({"client_id": client_id, "client_secret": caller.tenant.secrets[client_id], **parameters})
    return (
        f"POST {caller.path}/oauth2/{endpoint} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\n{extra}"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def introspection(caller) -> bytes:
    return form(caller, "introspect", "rs", token="t" * 128)


async def read_response(reader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    assert length is not None
    return int(head.split(b" ", 2)[1]), head + await reader.readexactly(int(length[1]))


async def let_server_read(http, writer) -> None:
    """Return once the server has read what was written: it responds to a later request on another connection."""
    await writer.drain()
    assert (await http.get("/livez")).status == 200


def connection_in_use(http) -> FastPathConnection:
    (found,) = [each for each in http.server.handler.connections if each._waiter is None]
    return found


class TestFastPath:
    @pytest.mark.parametrize("endpoint", ["token", "introspect", "revoke"])
    async def test_is_taken_when_form_arrives_whole(self, caller, http, taken, endpoint):
        token = await caller.token()
        taken.clear()
        async with connected(http) as (reader, writer):
            parameters = {} if endpoint == "token" else {"token": token}
            writer.write(form(caller, endpoint, "rs" if endpoint == "introspect" else "app", **parameters))
            assert (await read_response(reader))[0] == 200
        assert taken == [f"{caller.path}/oauth2/{endpoint}"]

    @pytest.mark.parametrize(
        "change",
        [
            (b"Host", b"Connection: close\r\nHost"),
            (b"Host", b"Expect: 100-continue\r\nHost"),
            (b"Host", b"Connection: upgrade\r\nUpgrade: h2c\r\nHost"),
            (b" HTTP/1.1", b"?a=b HTTP/1.1"),
            (b"HTTP/1.1", b"HTTP/1.0"),
            (b"POST", b"PUT"),
        ],
    )
    async def test_is_not_taken_when_request_needs_more_of_http(self, caller, http, taken, change):
        async with connected(http) as (reader, writer):
            writer.write(form(caller).replace(*change))
            assert b"HTTP/1." in await reader.readuntil(b"\r\n\r\n")
        assert taken == []

    async def test_is_not_taken_when_body_arrives_in_pieces(self, caller, http, taken):
        whole = form(caller)
        async with connected(http) as (reader, writer):
            writer.write(whole[:-10])
            await let_server_read(http, writer)
            writer.write(whole[-10:])
            assert (await read_response(reader))[0] == 200
        assert taken == []

    async def test_is_not_taken_when_body_is_large(self, caller, http, taken):
        async with connected(http) as (reader, writer):
            writer.write(form(caller, filler="x" * 20_000))
            assert (await read_response(reader))[0] == 200
        assert taken == []

    async def test_records_the_same_cause(self, caller, http, taken):
        async with connected(http) as (reader, writer):
            writer.write(form(caller, extra="X-Request-Id: mine\r\n"))
            await read_response(reader)
        *_, event = await caller.tenant.events("token.issued")
        assert (event.request_id, event.remote_address, event.actor) == ("mine", "127.0.0.1", "client:app")
        assert taken

    async def test_is_taken_again_when_pipelined_requests_are_done(self, caller, http, taken):
        async with connected(http) as (reader, writer):
            for _ in range(100):
                writer.write(introspection(caller))
                assert (await read_response(reader))[0] == 200
            writer.write(2 * introspection(caller))
            assert [(await read_response(reader))[0] for _ in range(2)] == [200, 200]
            writer.write(introspection(caller))
            await read_response(reader)
        assert len(taken) == 101

    async def test_is_off_when_aiohttp_lacks_an_attribute(self, service, aiohttp_client, taken, monkeypatch, caplog):
        monkeypatch.setitem(connection.REQUIRED, FastPathConnection, ("_renamed",))
        with capture_logs() as lines:
            http = await aiohttp_client(LedgerTestServer(create_app(service)))
        (line,) = lines
        assert (line["event"], line["missing"]) == ("fast path unavailable", ["FastPathConnection._renamed"])
        async with connected(http) as (reader, writer):
            for request, status in ((form(Caller(http, service.tenants[0])), 200), (b"nonsense\r\n\r\n", 400)):
                writer.write(request)
                assert (await read_response(reader))[0] == status
        assert taken == []
        assert caplog.text == ""


@both_ways
class TestConnection:
    async def test_responses_are_in_order_when_requests_are_pipelined(self, caller, http, held):
        async with connected(http) as (reader, writer):
            writer.write(form(caller))
            await held.reached.wait()
            writer.write(form(caller, grant_type="password") + introspection(caller))
            await let_server_read(http, writer)
            held.gate.set()
            responses = [await read_response(reader) for _ in range(3)]
        assert [status for status, _ in responses] == [200, 400, 200]
        assert b"access_token" in responses[0][1]
        assert b"unsupported_grant_type" in responses[1][1]
        assert b'"active":false' in responses[2][1]

    async def test_responses_are_in_order_when_one_packet_has_many_requests(self, caller, http):
        async with connected(http) as (reader, writer):
            writer.write(b"".join(form(caller, extra=f"X-Request-Id: n{n}\r\n") for n in range(20)))
            responses = [(await read_response(reader))[1] for _ in range(20)]
        ids = [re.findall(rb"X-Request-Id: n(\d+)\r\n", response) for response in responses]
        assert ids == [[b"%d" % n] for n in range(20)]

    async def test_malformed_http_gets_400_after_the_response_before_it(self, caller, http, held):
        async with connected(http) as (reader, writer):
            writer.write(form(caller))
            await held.reached.wait()
            writer.write(b"nonsense\r\n\r\n")
            await let_server_read(http, writer)
            held.gate.set()
            assert [(await read_response(reader))[0] for _ in range(2)] == [200, 400]
            assert await reader.read() == b""

    @pytest.mark.parametrize("requests", [1, 3])
    async def test_half_closed_client_gets_every_response(self, caller, http, held, requests):
        async with connected(http) as (reader, writer):
            writer.write(requests * form(caller))
            writer.write_eof()
            await held.reached.wait()
            await let_server_read(http, writer)
            held.gate.set()
            assert [(await read_response(reader))[0] for _ in range(requests)] == [200] * requests
            assert await reader.read() == b""

    @pytest.mark.parametrize("sent", [b"", b"POST / HT", b"POST /ms-auth-server/oauth2/token HTTP/1.1\r\nHost: x\r\n"])
    async def test_half_closed_client_is_disconnected_when_request_is_incomplete(self, http, sent):
        async with connected(http) as (reader, writer):
            writer.write(sent + (b"Content-Length: 9\r\n\r\n1234" if sent.endswith(b"\n") else b""))
            writer.write_eof()
            assert await reader.read() == b""

    async def test_idle_half_closed_client_is_disconnected(self, caller, http):
        async with connected(http) as (reader, writer):
            writer.write(introspection(caller))
            await read_response(reader)
            writer.write_eof()
            assert await reader.read() == b""

    async def test_token_is_recorded_when_client_disconnects(self, caller, http, held):
        before = len(await caller.tenant.events("token.issued"))
        with capture_logs() as lines:
            async with connected(http) as (_, writer):
                writer.write(form(caller))
                await held.reached.wait()
            assert (await http.get("/livez")).status == 200
            held.gate.set()
            await caller.tenant.writer.close()
            assert (await http.get("/livez")).status == 200
        assert len(await caller.tenant.events("token.issued")) == before + 1
        assert [line for line in lines if line["log_level"] in {"error", "critical"}] == []

    async def test_request_in_progress_gets_its_response_when_server_stops(self, caller, http, held):
        async with connected(http) as (reader, writer):
            writer.write(form(caller))
            await held.reached.wait()
            handling = connection_in_use(http)
            stopping = asyncio.create_task(http.server.close())
            while not handling._close:  # noqa: ASYNC110 (aiohttp has no event for it)
                await asyncio.sleep(0)
            assert not stopping.done()
            held.gate.set()
            assert (await read_response(reader))[0] == 200
            assert await reader.read() == b""
            await stopping

    async def test_idle_time_does_not_pass_while_a_request_is_handled(self, caller, http, held):
        async with connected(http) as (reader, writer):
            writer.write(form(caller))
            await held.reached.wait()
            handling = connection_in_use(http)
            handling._next_keepalive_close_time = 0.0
            handling._process_keepalive()
            held.gate.set()
            assert (await read_response(reader))[0] == 200
            writer.write(introspection(caller))
            assert (await read_response(reader))[0] == 200
            handling._next_keepalive_close_time = 0.0
            handling._process_keepalive()
            assert await reader.read() == b""


async def test_both_ways_give_the_same_responses(caller, http, taken):
    extra = "X-Request-Id: mine\r\n"
    requests = [
        form(caller, extra=extra),
        form(caller, extra=extra, grant_type="password"),
        form(caller, "introspect", "rs", extra=extra, token="t" * 128),
        form(caller, "revoke", extra=extra),
        form(caller, extra=extra).replace(b"client_id=app", b"client_id=ap%"),
    ]

    def comparable(response: bytes) -> bytes:
        kept = re.sub(rb"Date: [^\r]+|Token-Ledger-Position: \d+", b"", response)
        return re.sub(rb'"access_token":"[^"]+"', b"", kept)

    async with connected(http) as (reader, writer):
        for request in requests:
            writer.write(request)
            _, fast = await read_response(reader)
            writer.write(request.replace(b" HTTP/1.1", b"? HTTP/1.1"))
            _, slow = await read_response(reader)
            assert comparable(fast) == comparable(slow)
    assert len(taken) == len(requests)
