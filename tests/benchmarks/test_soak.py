"""The soak: its load, its samples and its checks."""

import asyncio
import threading
import time
from dataclasses import replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from benchmarks.demo_service import INTROSPECT, REVOKE, TOKEN
from benchmarks.soak.disk_probe import probe_disk
from benchmarks.soak.load import KINDS, Latencies, Load, percentile
from benchmarks.soak.report import Result, as_document, as_markdown
from benchmarks.soak.samples import WATCHED, Interval, LatencySummary, Sample, Table, repeat_until_done

SETTINGS = {
    "minutes": 30.0,
    "rate": 150.0,
    "lifetime": 60,
    "sweep_seconds": 60,
    "compare_seconds": 30.0,
    "rows": 200_000,
    "pairs": 1,
}


def test_percentile_is_a_measured_value():
    assert percentile([], 0.99) == 0.0
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile(list(map(float, range(100))), 0.99) == 99.0


class Fake:
    """A service that may respond slowly, with errors, or with revoked tokens still active."""

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


async def test_every_due_request_is_sent_and_correct_responses_pass():
    found = await drive(Fake())
    assert len(found.all) == len(found.late) == 200
    assert [len(found.of[kind]) for kind in KINDS] == [90, 100, 10]
    assert (found.failed, found.wrong) == (0, 0)


async def test_wrong_failed_and_slow_responses_are_counted():
    assert (await drive(Fake(revoked_stay=True), seconds=2.0)).wrong > 0
    refused = await drive(Fake(status=503))
    assert refused.failed == len(refused.all)
    slow = await drive(Fake(stall=0.2))
    assert min(slow.of["issue"]) >= 200
    assert len(slow.all) == 200  # no other request is delayed


async def test_intervals_end_when_the_task_is_done():
    calls = []

    async def call() -> None:
        calls.append(time.monotonic())

    await repeat_until_done(0.01, asyncio.create_task(asyncio.sleep(0.1)), call)
    assert 1 <= len(calls) <= 10


def taken(
    seconds: float, *, ms: float = 5.0, megabytes: int = 4, late: float = 0.1, wrong: int = 0, flush: float = 1.0
) -> Interval:
    latencies = Latencies(of={kind: [ms] * 100 for kind in KINDS}, late=[late], wrong=wrong)
    tables = {
        name: Table(name, megabytes * 10**6, 0, 10, 1, 0, int(seconds), int(seconds), 0, 0, 0) for name in WATCHED
    }
    times = {kind: LatencySummary.of([ms]) for kind in (*KINDS, "all")}
    return Interval(Sample(seconds, times, late, flush, 0, wrong, tables, 1000, 5, 30.0, 10**8), latencies)


def soak(**changes: float) -> Result:
    """Half an hour whose last minutes differ."""
    return Result(SETTINGS, [taken(s, **(changes if s > 1500 else {})) for s in range(15, 1801, 15)])


def test_all_checks_hold_when_nothing_grew():
    assert all(held for _, held in soak().checks())
    first, last = soak().windows()
    assert (first[0].sample.seconds, first[-1].sample.seconds) == (195, 480)
    assert (last[0].sample.seconds, last[-1].sample.seconds) == (1515, 1800)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"megabytes": 5}, "active_tokens did not grow"),
        ({"megabytes": 5}, "log_head did not grow"),
        ({"ms": 7.0}, "the p99 did not grow"),
        ({"ms": 7.0}, "the p99 of the median interval did not grow"),
        ({"late": 20.0}, "the sender was on time"),
        ({"wrong": 1}, "every introspection was correct"),
    ],
)
def test_failed_check_is_reported(changes, what):
    missed = [name for name, held in soak(**changes).checks() if not held]
    assert any(name.startswith(what) for name in missed)
    assert "**no**" in as_markdown(soak(**changes))


def test_stall_of_the_disk_fails_only_the_overall_p99():
    result = soak()
    result.soak[-1] = taken(1800, ms=900.0, flush=870.0)
    assert [name for name, held in result.checks() if not held] == ["the p99 did not grow"]
    assert "| 30.0 | 900.0 | 900.0 | 900.0 | 900.0 | 870.0 | 0.1 |" in as_markdown(result)
    assert "| slowest flush of the disk probe, ms | 1.0 | 870.0 |" in as_markdown(result)


def test_disk_probe_returns_the_longest_flush_since_the_last_call(tmp_path, monkeypatch):
    flushes = iter([0.0, 0.05])
    flushed = threading.Event()

    def fdatasync(_descriptor: int) -> None:
        try:
            time.sleep(next(flushes))
        except StopIteration:
            flushed.set()

    monkeypatch.setattr("benchmarks.soak.disk_probe.INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr("os.fdatasync", fdatasync)
    with probe_disk(tmp_path) as probe:
        assert flushed.wait(10)
        assert probe.take() >= 50
    probe.take()
    assert probe.take() == 0.0


def test_slow_sweep_fails_its_check():
    result = replace(soak(), with_sweep=[taken(30.0, ms=9.0)], without_sweep=[taken(60.0)])
    assert [name for name, held in result.checks() if not held] == ["the sweep does not lengthen the p99"]
    assert "| all | 5.0 | 5.0 | 9.0 | 9.0 |" in as_markdown(result)


def test_document_has_every_sample():
    document = as_document(replace(soak(), with_sweep=[taken(30.0)], without_sweep=[taken(60.0)]))
    assert (len(document["soak"]), len(document["with_sweep"]), len(document["without_sweep"])) == (120, 1, 1)
    assert document["windows"]["first"]["requests"]["all"]["p99"] == 5.0
