"""Forms that came whole go a short way. What a client sees of it is nothing but the time."""

import asyncio
import re
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import pytest
from memory_service import FORM, MAIN, LedgerTestServer, MemoryService
from structlog.testing import capture_logs

from api.http.app import create_app
from api.http.connection import Connection


class Held:
    """An event log that appends when it is let to."""

    def __init__(self, tenant) -> None:
        self._append = tenant.event_log.append
        self.gate = asyncio.Event()
        self.asked = asyncio.Event()
        tenant.event_log.append = self.append

    async def append(self, writes):
        self.asked.set()
        await self.gate.wait()
        return await self._append(writes)


@pytest.fixture
def held(service):
    return Held(service.tenants[0])


@pytest.fixture
def direct(monkeypatch) -> list[str]:
    """What went the short way: a line for each request."""
    taken: list[str] = []
    answer = Connection._answer_directly

    def noted(self, *arguments) -> None:
        taken.append(self._messages[0][0].path)
        answer(self, *arguments)

    monkeypatch.setattr(Connection, "_answer_directly", noted)
    return taken


@asynccontextmanager
async def connected(http):
    reader, writer = await asyncio.open_connection(http.server.host, http.server.port)
    try:
        async with asyncio.timeout(10):
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


async def one_answer(reader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    assert length is not None
    return int(head.split(b" ", 2)[1]), head + await reader.readexactly(int(length[1]))


class TestTheShortWay:
    @pytest.mark.parametrize("endpoint", ["token", "introspect", "revoke"])
    async def test_is_taken_by_a_form_that_came_whole(self, caller, http, direct, endpoint):
        token = await caller.token()
        direct.clear()
        async with connected(http) as (reader, writer):
            asked = {} if endpoint == "token" else {"token": token}
            writer.write(form(caller, endpoint, "rs" if endpoint == "introspect" else "app", **asked))
            assert (await one_answer(reader))[0] == 200
        assert direct == [f"{caller.path}/oauth2/{endpoint}"]

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ((b"Host", b"Connection: close\r\nHost"), "to be closed"),
            ((b"Host", b"Expect: 100-continue\r\nHost"), "waits for 100"),
            ((b"Host", b"Connection: upgrade\r\nUpgrade: h2c\r\nHost"), "upgrade"),
            ((b" HTTP/1.1", b"?a=b HTTP/1.1"), "query string"),
            ((b"HTTP/1.1", b"HTTP/1.0"), "HTTP/1.0"),
            ((b"POST", b"PUT"), "another method"),
        ],
    )
    async def test_is_not_taken_by_others(self, caller, http, direct, change, why):
        async with connected(http) as (reader, writer):
            writer.write(form(caller).replace(*change))
            assert b"HTTP/1." in await reader.readuntil(b"\r\n\r\n"), why
        assert direct == []

    async def test_is_not_taken_by_a_body_that_comes_in_pieces(self, caller, http, direct):
        whole = form(caller)
        async with connected(http) as (reader, writer):
            writer.write(whole[:-10])
            await writer.drain()
            assert (await http.get("/livez")).status == 200  # by now the first part was read
            writer.write(whole[-10:])
            assert (await one_answer(reader))[0] == 200
        assert direct == []

    async def test_is_not_taken_by_a_large_body(self, caller, http, direct):
        async with connected(http) as (reader, writer):
            writer.write(form(caller, filler="x" * 20_000))
            assert (await one_answer(reader))[0] == 200
        assert direct == []

    async def test_gives_the_same_answers(self, caller, http, direct):
        """Of both ways, with an id of the request that is the caller's own; but for the token and the position."""
        requests = [
            form(caller, extra="X-Request-Id: mine\r\n"),
            form(caller, extra="X-Request-Id: mine\r\n", grant_type="password"),
            form(caller, "introspect", "rs", extra="X-Request-Id: mine\r\n", token="t" * 128),
            form(caller, "revoke", extra="X-Request-Id: mine\r\n"),
            form(caller, extra="X-Request-Id: mine\r\n").replace(b"client_id=app", b"client_id=ap%"),
        ]

        def comparable(answer: bytes) -> bytes:
            kept = re.sub(rb"Date: [^\r]+|Token-Ledger-Position: \d+", b"", answer)
            return re.sub(rb'"access_token":"[^"]+"', b"", kept)

        async with connected(http) as (reader, writer):
            for request in requests:
                writer.write(request)
                _, short = await one_answer(reader)
                writer.write(request.replace(b" HTTP/1.1", b"? HTTP/1.1"))
                _, long = await one_answer(reader)
                assert comparable(short) == comparable(long)
        assert len(direct) == len(requests)

    async def test_records_where_the_request_came_from(self, caller, http, direct):
        async with connected(http) as (reader, writer):
            writer.write(form(caller, extra="X-Request-Id: mine\r\n"))
            await one_answer(reader)
        *_, event = await caller.tenant.events("token.issued")
        assert (event.request_id, event.remote_address, event.actor) == ("mine", "127.0.0.1", "client:app")
        assert direct


class TestWhatComesMeanwhile:
    async def test_waits_in_line_and_is_answered_in_order(self, caller, http, direct, held):
        async with connected(http) as (reader, writer):
            writer.write(form(caller))
            await held.asked.wait()
            writer.write(form(caller, grant_type="password") + form(caller, "introspect", "rs", token="t" * 128))
            await writer.drain()
            assert (await http.get("/livez")).status == 200  # by now they were read
            held.gate.set()
            answers = [await one_answer(reader) for _ in range(3)]
        assert [status for status, _ in answers] == [200, 400, 200]
        assert b"access_token" in answers[0][1]
        assert b"unsupported_grant_type" in answers[1][1]
        assert b'"active":false' in answers[2][1]

    async def test_many_in_one_packet_are_answered_in_order(self, caller, http):
        async with connected(http) as (reader, writer):
            writer.write(b"".join(form(caller, extra=f"X-Request-Id: n{n}\r\n") for n in range(20)))
            answers = [(await one_answer(reader))[1] for _ in range(20)]
        assert [n for n, answer in enumerate(answers) if f"X-Request-Id: n{n}\r\n".encode() in answer] == list(
            range(20)
        )

    async def test_afterwards_the_short_way_is_open_again(self, caller, http, direct):
        async with connected(http) as (reader, writer):
            writer.write(form(caller) + form(caller))
            await one_answer(reader)
            await one_answer(reader)
            for _ in range(3):
                writer.write(form(caller))
                assert (await one_answer(reader))[0] == 200
        assert len(direct) == 3

    async def test_a_connection_lasts_for_any_number_of_requests(self, caller, http, direct):
        async with connected(http) as (reader, writer):
            for _ in range(100):
                writer.write(form(caller, "introspect", "rs", token="t" * 128))
                assert (await one_answer(reader))[0] == 200
            writer.write(2 * form(caller, "introspect", "rs", token="t" * 128))
            assert [(await one_answer(reader))[0] for _ in range(2)] == [200, 200]
        assert len(direct) == 100

    async def test_what_is_no_http_is_answered_after_it(self, caller, http, held):
        async with connected(http) as (reader, writer):
            writer.write(form(caller))
            await held.asked.wait()
            writer.write(b"nonsense\r\n\r\n")
            await writer.drain()
            assert (await http.get("/livez")).status == 200
            held.gate.set()
            assert (await one_answer(reader))[0] == 200
            assert (await one_answer(reader))[0] == 400
            assert await reader.read() == b""


class TestTheEnd:
    async def test_of_a_client_that_leaves_is_no_error_and_its_token_is_recorded(self, caller, http, held):
        before = len(await caller.tenant.events("token.issued"))
        with capture_logs() as lines:
            async with connected(http) as (_, writer):
                writer.write(form(caller))
                await held.asked.wait()
            assert (await http.get("/livez")).status == 200
            held.gate.set()
            await caller.tenant.writer.close()
            assert (await http.get("/livez")).status == 200
        assert len(await caller.tenant.events("token.issued")) == before + 1
        assert [line for line in lines if line["log_level"] in {"error", "critical"}] == []

    async def test_of_the_server_lets_what_is_under_way_be_answered(self, caller, http, held):
        async with connected(http) as (reader, writer):
            writer.write(form(caller))
            await held.asked.wait()
            stopping = asyncio.create_task(http.server.close())
            await asyncio.sleep(0.05)
            assert not stopping.done()
            held.gate.set()
            assert (await one_answer(reader))[0] == 200
            assert await reader.read() == b""
            await stopping

    async def test_of_an_idle_connection_comes_after_its_time_and_not_while_it_is_answered(self):
        service = await MemoryService(MAIN).start()
        server = LedgerTestServer(create_app(service))
        await server.start_server(keepalive_timeout=0.1)
        tenant, held = service.tenants[0], Held(service.tenants[0])

        class Calling:
            path, tenant = service.tenants[0].issuer.identifier.path, service.tenants[0]

        reader, writer = await asyncio.open_connection(server.host, server.port)
        try:
            async with asyncio.timeout(10):
                writer.write(form(Calling))
                await held.asked.wait()
                await asyncio.sleep(0.3)
                held.gate.set()
                assert (await one_answer(reader))[0] == 200
                assert await reader.read() == b""  # closed, for nothing came any more
        finally:
            writer.close()
            await server.close()
        assert len(await tenant.events("token.issued")) == 1
