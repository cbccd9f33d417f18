"""The soak: what its load counts, and what its verdict rests on."""

import asyncio
import threading
import time
from dataclasses import replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from benchmarks.forms import INTROSPECT, REVOKE, TOKEN
from benchmarks.soak.bystander import bystander
from benchmarks.soak.load import KINDS, Latencies, Load, percentile
from benchmarks.soak.report import Result, as_document, as_markdown
from benchmarks.soak.samples import WATCHED, Sample, Table, Taken, Times, every

SETTINGS = {
    "minutes": 30.0,
    "rate": 150.0,
    "lifetime": 60,
    "sweep_seconds": 60,
    "compare_seconds": 30.0,
    "rows": 200_000,
    "pairs": 1,
}


def test_a_percentile_is_a_value_that_was_measured():
    assert percentile([], 0.99) == 0.0
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile(list(map(float, range(100))), 0.99) == 99.0


class Fake:
    """A service that answers after a while, and may be wrong about what is active."""

    def __init__(self, *, stall: float = 0.0, revoked_stay: bool = False, status: int = 200) -> None:
        self._stall = stall
        self._revoked_stay = revoked_stay
        self._status = status
        self._tokens: set[str] = set()

    async def token(self, _request: web.Request) -> web.Response:
        await asyncio.sleep(self._stall)
        token = f"token-{len(self._tokens)}-{time.monotonic()}"
        self._tokens.add(token)
        return web.json_response({"access_token": token}, status=self._status)

    async def introspect(self, request: web.Request) -> web.Response:
        return web.json_response({"active": (await request.post())["token"] in self._tokens}, status=self._status)

    async def revoke(self, request: web.Request) -> web.Response:
        if not self._revoked_stay:
            self._tokens.discard(str((await request.post())["token"]))
        return web.Response(status=self._status)


async def drive(fake: Fake, *, rate: float = 400.0, seconds: float = 0.5) -> Latencies:
    app = web.Application()
    app.router.add_post(TOKEN, fake.token)
    app.router.add_post(INTROSPECT, fake.introspect)
    app.router.add_post(REVOKE, fake.revoke)
    async with TestServer(app) as server:
        load = Load(lambda path: str(server.make_url(path)), rate=rate, lifetime=3600.0)
        await load.run(seconds)
        return load.take()


async def test_as_many_are_sent_as_are_due_and_right_answers_are_right():
    found = await drive(Fake())
    assert len(found.all) == len(found.late) == 200
    assert [len(found.of[kind]) for kind in KINDS] == [90, 100, 10]
    assert (found.failed, found.wrong) == (0, 0)


async def test_a_token_that_was_revoked_and_is_active_is_wrong():
    assert (await drive(Fake(revoked_stay=True), seconds=2.0)).wrong > 0


async def test_what_is_not_answered_with_success_has_failed():
    found = await drive(Fake(status=503))
    assert found.failed == len(found.all)


async def test_a_slow_answer_delays_no_other_request_and_is_counted_from_when_it_was_due():
    found = await drive(Fake(stall=0.2))
    assert min(found.of["issue"]) >= 200
    assert len(found.all) == 200


async def test_intervals_end_with_what_they_are_of():
    looks = []

    async def look() -> None:
        looks.append(time.monotonic())

    await every(0.01, asyncio.create_task(asyncio.sleep(0.1)), look)
    assert 1 <= len(looks) <= 10


def taken(
    seconds: float, *, ms: float = 5.0, megabytes: int = 4, late: float = 0.1, wrong: int = 0, flush: float = 1.0
) -> Taken:
    latencies = Latencies(of={kind: [ms] * 100 for kind in KINDS}, late=[late], wrong=wrong)
    tables = {
        name: Table(name, megabytes * 10**6, 0, 10, 1, 0, int(seconds), int(seconds), 0, 0, 0) for name in WATCHED
    }
    times = {kind: Times.of([ms]) for kind in (*KINDS, "all")}
    return Taken(Sample(seconds, times, late, flush, 0, wrong, tables, 1000, 5, 30.0, 10**8), latencies)


def soak(**changes: float) -> Result:
    """Half an hour, of which the last minutes are other."""
    return Result(SETTINGS, [taken(s, **(changes if s > 1500 else {})) for s in range(15, 1801, 15)])


def test_a_soak_in_which_nothing_grew_holds():
    assert all(held for _, held in soak().verdict())
    first, last = soak().windows()
    assert (first[0].sample.seconds, first[-1].sample.seconds) == (195, 480)
    assert (last[0].sample.seconds, last[-1].sample.seconds) == (1515, 1800)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"megabytes": 5}, "active_tokens is no larger"),
        ({"megabytes": 5}, "log_head is no larger"),
        ({"ms": 7.0}, "the p99 is no longer at the end"),
        ({"ms": 7.0}, "the p99 of the median interval is no longer"),
        ({"late": 20.0}, "the sender was on time"),
        ({"wrong": 1}, "every introspection was right"),
    ],
)
def test_what_did_not_hold_is_told(changes, what):
    missed = [name for name, held in soak(**changes).verdict() if not held]
    assert any(name.startswith(what) for name in missed)
    assert "**no**" in as_markdown(soak(**changes))


def test_a_moment_in_which_the_disk_stood_still_is_told_beside_what_is_usual():
    result = soak()
    result.soak[-1] = taken(1800, ms=900.0, flush=870.0)
    assert [name for name, held in result.verdict() if not held] == ["the p99 is no longer at the end"]
    assert "| 30.0 | 900.0 | 900.0 | 900.0 | 900.0 | 870.0 | 0.1 |" in as_markdown(result)
    assert "| slowest flush of a bystander, ms | 1.0 | 870.0 |" in as_markdown(result)


def test_a_bystander_tells_its_longest_flush_since_it_was_asked(tmp_path, monkeypatch):
    flushes = iter([0.0, 0.05])
    flushed = threading.Event()

    def fdatasync(_descriptor: int) -> None:
        try:
            time.sleep(next(flushes))
        except StopIteration:
            flushed.set()

    monkeypatch.setattr("benchmarks.soak.bystander.EVERY_SECONDS", 0.0)
    monkeypatch.setattr("os.fdatasync", fdatasync)
    with bystander(tmp_path) as somebody:
        assert flushed.wait(10)
        assert somebody.take() >= 50
    somebody.take()
    assert somebody.take() == 0.0


def test_a_sweep_that_slows_requests_down_is_told():
    result = replace(soak(), with_sweep=[taken(30.0, ms=9.0)], without_sweep=[taken(60.0)])
    assert [name for name, held in result.verdict() if not held] == [
        "the p99 is no longer while expired rows are swept"
    ]
    assert "| all | 5.0 | 5.0 | 9.0 | 9.0 |" in as_markdown(result)


def test_the_document_has_every_sample():
    document = as_document(replace(soak(), with_sweep=[taken(30.0)], without_sweep=[taken(60.0)]))
    assert (len(document["soak"]), len(document["with_sweep"]), len(document["without_sweep"])) == (120, 1, 1)
    assert document["windows"]["first"]["requests"]["all"]["p99"] == 5.0
