"""The load generator against a server that stalls or returns errors on purpose."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from benchmarks.errors import MeasurementError
from benchmarks.load.open_loop import WARM_UP_SECONDS, OpenLoopResult, run_open_loop
from benchmarks.load.request import Request
from benchmarks.load.wrk import Load, issue_tokens, run_closed_loop

pytestmark = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk, which the benchmarks need, is not installed")

LOAD = Load(connections=8)
RATE, SECONDS = 800, 3
STALL_SECONDS = 1.0
STALLED_AT = round((WARM_UP_SECONDS + 0.5) * RATE)
REQUESTS = 100

T = TypeVar("T")


class Server:
    """Responds at once, except for a stall of all connections that starts with one request."""

    def __init__(self, *, status: str = "200 OK", stall_at: int = 0) -> None:
        self.seen: Counter[str] = Counter()
        self._status = status
        self._stall_at = stall_at
        self._may_respond = asyncio.Event()
        self._may_respond.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.seen[head.decode().split(" ")[1]] += 1
                if self.seen.total() == self._stall_at:
                    self._may_respond.clear()
                    asyncio.get_running_loop().call_later(STALL_SECONDS, self._may_respond.set)
                await self._may_respond.wait()
                body = f'{{"access_token": "token-{self.seen.total()}"}}'
                writer.write(f"HTTP/1.1 {self._status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        except (asyncio.IncompleteReadError, ConnectionResetError):
            writer.close()


def run_against_server(drive: Callable[[list[Request]], T], **behaviour: object) -> tuple[T, Server]:
    """Return the result of a load generator and the server it used."""

    async def run() -> tuple[T, Server]:
        server = Server(**behaviour)
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        requests = [Request(f"http://127.0.0.1:{port}/{number}") for number in range(REQUESTS)]
        async with listening:
            return await asyncio.to_thread(drive, requests), server

    return asyncio.run(run())


@pytest.fixture(scope="module")
def stalled(tmp_path_factory: pytest.TempPathFactory) -> tuple[OpenLoopResult, Server]:
    folder = tmp_path_factory.mktemp("stalled")
    return run_against_server(partial(run_open_loop, folder=folder, rate=RATE, seconds=SECONDS), stall_at=STALLED_AT)


def test_stall_counts_for_every_request_due_in_it(stalled):
    # Half of the two seconds that count: a tenth of their requests waited for four fifths of it or more.
    paced, server = stalled

    assert paced.requests == RATE * 2
    assert paced.percentiles["90"] == pytest.approx(800, abs=100)
    assert paced.percentiles["99"] == pytest.approx(980, abs=100)
    assert paced.late_p99_ms < 50  # the sender stays on time
    assert server.seen == {f"/{number}": RATE * SECONDS // REQUESTS for number in range(REQUESTS)}


@pytest.mark.parametrize(
    "drive",
    [partial(run_open_loop, rate=RATE, seconds=1), partial(run_closed_loop, load=LOAD, seconds=1)],
    ids=["open", "closed"],
)
def test_measurement_is_refused_when_a_response_is_an_error(drive, tmp_path: Path):
    with pytest.raises(MeasurementError, match="were refused"):
        run_against_server(partial(drive, folder=tmp_path), status="503 Service Unavailable")


def test_closed_loop_counts_the_responses(tmp_path: Path):
    pressed, server = run_against_server(partial(run_closed_loop, folder=tmp_path, load=LOAD, seconds=1))

    assert 0 <= server.seen.total() - pressed.requests <= LOAD.connections
    assert 0 < pressed.rate <= pressed.requests
    assert len(server.seen) == REQUESTS


def test_issued_tokens_are_returned(tmp_path: Path):
    tokens, server = run_against_server(lambda requests: issue_tokens(requests[0], tmp_path, load=LOAD, seconds=1))

    assert 0 <= server.seen.total() - len(tokens) <= LOAD.connections
    assert tokens[0].startswith("token-")
