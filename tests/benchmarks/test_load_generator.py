"""The load generator of the benchmarks, against a server that stalls or refuses on purpose."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from benchmarks.cannot_measure import CannotMeasure
from benchmarks.load.open_loop import WARM_UP_SECONDS, Paced, pace
from benchmarks.load.request import Request
from benchmarks.load.wrk import Load, harvest, press

pytestmark = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk, which the benchmarks need, is not installed")

LOAD = Load(connections=8)
RATE, SECONDS = 800, 3
STALL_SECONDS = 1.0
STALLED_AT = round((WARM_UP_SECONDS + 0.5) * RATE)
QUESTIONS = 100

T = TypeVar("T")


class Server:
    """Answers at once, but for a stall of all connections that begins with one request."""

    def __init__(self, *, status: str = "200 OK", stalls_at: int = 0) -> None:
        self.seen: Counter[str] = Counter()
        self._status = status
        self._stalls_at = stalls_at
        self._answers = asyncio.Event()
        self._answers.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.seen[head.decode().split(" ")[1]] += 1
                if self.seen.total() == self._stalls_at:
                    self._answers.clear()
                    asyncio.get_running_loop().call_later(STALL_SECONDS, self._answers.set)
                await self._answers.wait()
                body = f'{{"access_token": "token-{self.seen.total()}"}}'
                writer.write(f"HTTP/1.1 {self._status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        except (asyncio.IncompleteReadError, ConnectionResetError):
            writer.close()


def driven(drive: Callable[[list[Request]], T], **behaviour: object) -> tuple[T, Server]:
    """What a load generator found of a server, which it asks many questions, and the server."""

    async def run() -> tuple[T, Server]:
        server = Server(**behaviour)
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        questions = [Request(f"http://127.0.0.1:{port}/{number}") for number in range(QUESTIONS)]
        async with listening:
            return await asyncio.to_thread(drive, questions), server

    return asyncio.run(run())


@pytest.fixture(scope="module")
def stalled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Paced, Server]:
    folder = tmp_path_factory.mktemp("stalled")
    return driven(partial(pace, folder=folder, rate=RATE, seconds=SECONDS), stalls_at=STALLED_AT)


def test_a_stall_of_a_second_is_charged_to_every_request_that_was_due_in_it(stalled):
    # Half of the two seconds that count: a tenth of their requests waited for four fifths of it or more.
    paced, _ = stalled

    assert paced.requests == RATE * 2
    assert paced.percentiles["90"] == pytest.approx(800, abs=100)
    assert paced.percentiles["99"] == pytest.approx(980, abs=100)


def test_the_sender_is_not_to_blame_for_the_stall(stalled):
    assert stalled[0].late_p99_ms < 50


def test_every_request_of_the_schedule_is_sent_once(stalled):
    assert stalled[1].seen == {f"/{number}": RATE * SECONDS // QUESTIONS for number in range(QUESTIONS)}


@pytest.mark.parametrize(
    "drive", [partial(pace, rate=RATE, seconds=1), partial(press, load=LOAD, seconds=1)], ids=["open", "closed"]
)
def test_an_answer_that_is_no_success_ends_the_measurement(drive, tmp_path: Path):
    with pytest.raises(CannotMeasure, match="were refused"):
        driven(partial(drive, folder=tmp_path), status="503 Service Unavailable")


def test_the_closed_loop_asks_as_often_as_it_is_answered(tmp_path: Path):
    pressed, server = driven(partial(press, folder=tmp_path, load=LOAD, seconds=1))

    assert 0 <= server.seen.total() - pressed.requests <= LOAD.connections
    assert 0 < pressed.rate <= pressed.requests
    assert len(server.seen) == QUESTIONS


def test_tokens_that_are_issued_are_kept(tmp_path: Path):
    tokens, server = driven(lambda questions: harvest(questions[0], tmp_path, load=LOAD, seconds=1))

    assert 0 <= server.seen.total() - len(tokens) <= LOAD.connections
    assert tokens[0].startswith("token-")
