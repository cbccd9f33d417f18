"""Behaviour on the wire: connections, HTTP/1.0, 100 Continue, malformed HTTP, request ids."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
from memory_service import FORM, basic
from structlog.testing import capture_logs


@pytest.fixture
def wire(http):
    """Sends bytes; returns the response bytes until the server closes."""

    async def send(*parts: bytes, until: bytes | None = None) -> bytes:
        reader, writer = await asyncio.open_connection(http.server.host, http.server.port)
        try:
            received = b""
            async with asyncio.timeout(60):
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                    if until is not None and part is not parts[-1]:
                        received += await reader.readuntil(until)
                return received + await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()

    return send


def request(caller, version: str = "1.1", body: bytes = b"grant_type=client_credentials", *extra: str) -> bytes:
    head = [
        f"POST {caller.path}/oauth2/token HTTP/{version}",
        "Host: localhost",
        f"Content-Type: {FORM}",
        f"Content-Length: {len(body)}",
        f"Authorization: {basic('app', caller.tenant.secrets['app'])}",
        "Connection: close",
        *extra,
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def status_of(response: bytes) -> int:
    return int(response.split(b" ", 2)[1])


def header_lines(response: bytes) -> list[str]:
    return response.partition(b"\r\n\r\n")[0].decode().split("\r\n")


class TestConnection:
    """RFC 9112 §9.3: HTTP/1.1 keeps connections by default, HTTP/1.0 closes them; the header is sent otherwise."""

    async def test_is_closed_when_request_says_close(self, caller, wire):
        assert "Connection: close" in header_lines(await wire(request(caller)))

    async def test_is_kept_without_a_header_when_http_1_1(self, caller, wire):
        kept = request(caller).replace(b"Connection: close\r\n", b"")
        first, second = (await wire(kept, request(caller), until=b"}")).split(b"}")[:2]
        assert not [line for line in header_lines(first) if line.startswith("Connection")]
        assert "Connection: close" in header_lines(second)

    async def test_is_closed_without_a_header_when_http_1_0(self, caller, wire):
        response = await wire(request(caller, "1.0").replace(b"Connection: close\r\n", b""))
        assert not [line for line in header_lines(response) if line.startswith("Connection")]

    async def test_is_kept_when_http_1_0_requests_keep_alive(self, caller, wire):
        kept = request(caller, "1.0").replace(b"Connection: close", b"Connection: keep-alive")
        first, _ = (await wire(kept, request(caller, "1.0"), until=b"}")).split(b"}")[:2]
        assert "Connection: keep-alive" in header_lines(first)

    async def test_has_complete_response_headers(self, caller, wire):
        status, *lines = header_lines(await wire(request(caller)))
        assert status == "HTTP/1.1 200 OK"
        names = [line.partition(": ")[0] for line in lines]
        assert sorted(names) == sorted(set(names))
        assert {"Content-Type", "Content-Length", "Date", "Server", "Cache-Control", "Pragma", "X-Request-Id"} <= set(
            names
        )
        (date,) = [line.removeprefix("Date: ") for line in lines if line.startswith("Date: ")]
        assert abs(parsedate_to_datetime(date) - datetime.now(UTC)) < timedelta(minutes=1)


class TestHttp10:
    async def test_response_has_the_version_when_http_1_0(self, caller, wire):
        response = await wire(request(caller, "1.0"))
        assert response.startswith(b"HTTP/1.0 200")
        assert json.loads(response.partition(b"\r\n\r\n")[2])["token_type"] == "Bearer"


class TestExpect:
    async def test_server_sends_100_when_client_expects_it(self, caller, wire):
        whole = request(caller, "1.1", b"grant_type=client_credentials", "Expect: 100-continue")
        head, _, body = whole.partition(b"\r\n\r\n")
        response = await wire(head + b"\r\n\r\n", body, until=b"\r\n\r\n")
        assert response.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")

    async def test_expectation_is_ignored_when_unknown(self, caller, wire):
        whole = request(caller, "1.1", b"grant_type=client_credentials", "Expect: a-miracle")
        assert status_of(await wire(whole)) == 200


class TestMalformedHttp:
    @pytest.mark.parametrize(
        "garbage",
        [
            b"BREW /ms-auth-server/oauth2/token HTTP/1.1\r\nHost: x\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            b"POST /x HTTP/1.1\r\nHost: x\r\nAuthorization Basic c2VjcmV0LWhlYWRlcg==\r\n\r\n",
            b"POST /x HTTP/1.1\r\nHost: x\r\nAuthorization: Basic c2VjcmV0LWhlYWRlcg==\x00\r\n\r\n",
            b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1, c2VjcmV0LWhlYWRlcg==\r\n\r\n",
            b"POST /x HTTP/1.1\r\nHost: x\r\nAuthorization: Basic c2VjcmV0LWhlYWRlcg==" + b"x" * 20_000 + b"\r\n\r\n",
        ],
        ids=["unknown method", "TLS", "no colon", "NUL in a header", "two lengths", "header too long"],
    )
    async def test_responds_400_without_quoting_or_logging_it(self, wire, garbage, caplog):
        with capture_logs() as lines:
            response = await wire(garbage)
        head, _, body = response.partition(b"\r\n\r\n")
        assert status_of(response) == 400
        assert b"Content-Type: application/json" in head
        assert b"Server: token-ledger" in head
        assert b"X-Request-Id: " in head
        assert json.loads(body) == {
            "error": "invalid_request",
            "error_description": "The request is malformed.",
        }
        (line,) = lines
        assert line["event"] == "malformed request"
        assert line["status"] == 400
        assert "c2VjcmV0" not in repr(lines) + caplog.text

    @pytest.mark.parametrize("chunk", [b"zz\r\nx\r\n", b"-1\r\n", b"5\r\ngrant_type\r\n"])
    async def test_responds_400_when_chunks_are_broken(self, caller, wire, chunk):
        whole = request(caller, "1.1", b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        assert status_of(await wire(whole + chunk + b"0\r\n\r\n")) in {400, 413}

    async def test_logs_no_error_when_compression_is_broken(self, caller, wire, caplog):
        whole = request(caller, "1.1", b"grant_type=client_credentials", "Content-Encoding: gzip")
        assert status_of(await wire(whole.replace(b"Connection: close\r\n", b""))) == 400
        assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []

    async def test_responds_413_early_when_announced_length_is_too_large(self, caller, http):
        reader, writer = await asyncio.open_connection(http.server.host, http.server.port)
        writer.write(request(caller).replace(b"Content-Length: 29", b"Content-Length: 65537").partition(b"\r\n\r\n")[0])
        writer.write(b"\r\n\r\n")
        async with asyncio.timeout(60):
            assert status_of(await reader.readuntil(b"\r\n\r\n")) == 413
        writer.close()
        await writer.wait_closed()

    async def test_logs_no_error_when_client_disconnects(self, caller, http, service):
        reader, writer = await asyncio.open_connection(http.server.host, http.server.port)
        with capture_logs() as lines:
            writer.write(request(caller)[:-5])
            await writer.drain()
            writer.close()
            await writer.wait_closed()
            assert await reader.read() == b""
            # Once it responds here, the server has seen the other connection end.
            assert (await http.get("/livez")).status == 200
        assert not [line for line in lines if line["log_level"] in {"error", "critical"}]


class TestRequestId:
    @pytest.mark.parametrize("given", ["a", "A-1_b.c", "0" * 128, "4bf92f3577b34da6a3ce929d0e0e4736"])
    async def test_is_kept_when_plain(self, caller, given):
        response = await caller.send("token", X_Request_Id=given)
        assert response.headers.getall("X-Request-Id") == [given]

    @pytest.mark.parametrize(
        "given", ["0" * 129, "a b", "a;b", "é", '"', "a/b", "<x>", "a\tb", "%0d%0aSet-Cookie: a=b"]
    )
    async def test_is_replaced_when_not_plain(self, caller, given):
        (kept,) = (await caller.send("token", X_Request_Id=given)).headers.getall("X-Request-Id")
        assert len(kept) == 32
        assert set(kept) <= set("0123456789abcdef")

    async def test_is_new_when_omitted(self, caller):
        ids = {(await caller.send("token")).headers["X-Request-Id"] for _ in range(5)}
        assert len(ids) == 5

    async def test_cannot_inject_a_header(self, caller, wire):
        head = request(caller, "1.1", b"grant_type=client_credentials", "X-Request-Id: a\n\tSet-Cookie: b=c")
        assert b"Set-Cookie" not in await wire(head)

    @pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("PUT", "/livez", 405)])
    async def test_is_on_every_response(self, http, method, path, status):
        response = await http.request(method, path, headers={"X-Request-Id": "mine"})
        assert response.status == status
        assert response.headers["X-Request-Id"] == "mine"


@pytest.mark.parametrize("target", ["OPTIONS *", "GET /%0a", "GET //", "GET /..", "GET /{path}"])
async def test_responds_404_when_target_is_not_a_known_path(wire, target):
    response = await wire(f"{target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    head, _, body = response.partition(b"\r\n\r\n")
    assert status_of(response) == 404
    assert b"Server: token-ledger" in head
    assert b"X-Request-Id: " in head
    assert json.loads(body)["error"] == "not_found"
