"""What audit questions cost, at two sizes of the log: histories, pages, the export, and streams that wait.

    python -m benchmarks.audit                      10,000 and 1,000,000 tokens; some minutes
    python -m benchmarks.audit --tokens 2000 20000  the short form

Needs wrk. Latencies of histories are of an open loop: requests begin at a constant rate, and each is timed from when it
should have begun, so that a server that stalls is not asked less (coordinated omission).
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import psutil

from api.embedded_postgres import EmbeddedPostgres
from api.operations.database import migrate
from benchmarks.beside import issue
from benchmarks.filled_log import fill
from benchmarks.forms import TOKEN
from benchmarks.load.wrk import check_installed
from benchmarks.numbered_tokens import CLIENTS, SCOPES
from benchmarks.processes import PATH, CannotMeasure, Server, post, service

LOG = PATH.strip("/")
AUDITOR = {
    "grant_type": "client_credentials",
    "client_id": "auditor",
    "client_secret": "auditor-secret",
    "scope": "audit.read",
}
HISTORY_RATE = 200
SUBSCRIBERS = 200
CATCH_UP_SECONDS = 900.0


@dataclass(frozen=True)
class Latency:
    """In milliseconds."""

    p50: float
    p99: float


@dataclass(frozen=True)
class Measured:
    """One size of the log. Rates are events a second; issuance is requests a second."""

    tokens: int
    events: int
    history: Latency
    page: Latency
    export_rate: float
    export_memory_mib: float
    issuance_rate: float
    issuance_rate_with_subscribers: float
    issuance_cpu_us: float
    issuance_cpu_us_with_subscribers: float


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 when there is no measurement."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit", description=__doc__.partition("\n")[0])
    parser.add_argument("--tokens", type=int, nargs="+", default=[10_000, 1_000_000], help="sizes of the log")
    parser.add_argument("--seconds", type=int, default=10, help="length of each measurement")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    try:
        check_installed()
        results = [_measure(tokens, options.seconds) for tokens in options.tokens]
    except CannotMeasure as reason:
        print(f"No measurement: {reason}", file=sys.stderr)
        return 1
    print(json.dumps([asdict(r) for r in results], indent=2) if options.json else _as_table(results))
    return 0


def _measure(tokens: int, seconds: int) -> Measured:
    with tempfile.TemporaryDirectory(prefix="token-ledger-benchmark-") as name:
        folder = Path(name)
        print(f"filling a log with {tokens:,} tokens ...", file=sys.stderr)
        with EmbeddedPostgres(folder / "postgres") as postgres:
            asyncio.run(migrate(postgres.owner_dsn, "token_ledger_service", print))
            events = asyncio.run(fill(postgres.owner_dsn, LOG, tokens=tokens, demo=True)).events
        with service(folder) as served:
            print("measuring ...", file=sys.stderr)
            auditor = Auditor(served)
            asyncio.run(auditor.wait_for_history(events))
            history = asyncio.run(auditor.histories(seconds))
            page = asyncio.run(auditor.pages(seconds))
            export_rate, memory = asyncio.run(auditor.export(events))
            alone = issue(served, folder, seconds)
            with auditor.subscribed():
                beside = issue(served, folder, seconds)
        return Measured(
            tokens, events, history, page, export_rate, memory, alone.rate, beside.rate, alone.cpu_us, beside.cpu_us
        )


class Auditor:
    """Asks as an auditor would, over HTTP."""

    def __init__(self, served: Server) -> None:
        self._served = served
        token = json.loads(post(served, TOKEN, **AUDITOR))["access_token"]
        self._headers = {"Authorization": f"Bearer {token}"}
        self._random = random.Random(0)  # noqa: S311 (a choice of questions)
        self._jtis: list[str] = []

    async def wait_for_history(self, position: int) -> None:
        """Return once the projection has read the whole log; keep the ids of some tokens from all over it."""
        deadline = time.monotonic() + CATCH_UP_SECONDS
        async with self._session() as session:
            while True:
                async with session.get(self._url("/tokens?limit=1")) as response:
                    if response.ok and (await response.json())["as_of"]["position"] >= position:
                        break
                if time.monotonic() > deadline:
                    msg = f"the history did not come to position {position} within {CATCH_UP_SECONDS:.0f} s"
                    raise CannotMeasure(msg)
                await asyncio.sleep(0.5)
            for part in range(1, 21):
                where = self._url(f"/tokens?as_of={max(1, position * part // 20)}&limit=100")
                async with session.get(where) as response:
                    self._jtis.extend(token["jti"] for token in (await response.json())["tokens"])

    async def histories(self, seconds: int) -> Latency:
        """Histories by jti, so many a second."""
        async with self._session() as session:
            begin = time.perf_counter() + 0.1
            asked = []
            for number in range(HISTORY_RATE * seconds):
                due = begin + number / HISTORY_RATE
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                asked.append(asyncio.create_task(self._timed(session, self._history(), due)))
            return _percentiles(await asyncio.gather(*asked))

    async def pages(self, seconds: int) -> Latency:
        """Pages of 100 tokens, filtered and as of some time, one after the other."""
        times = []
        async with self._session() as session:
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                times.append(await self._timed(session, self._page(), time.perf_counter()))
        return _percentiles(times)

    async def export(self, events: int) -> tuple[float, float]:
        """Events a second of the whole log as NDJSON, and by how much the server's memory grew meanwhile, in MiB."""
        process = psutil.Process(self._served.pid)
        before = most = process.memory_info().rss
        count, begin = 0, time.perf_counter()
        async with (
            self._session() as session,
            session.get(self._url("/events"), headers={"Accept": "application/x-ndjson"}) as response,
        ):
            async for chunk in response.content.iter_any():
                count += chunk.count(b"\n")
                most = max(most, process.memory_info().rss)
        if count < events:
            msg = f"the export has {count} lines and the log {events} events"
            raise CannotMeasure(msg)
        return count / (time.perf_counter() - begin), (most - before) / 2**20

    @contextmanager
    def subscribed(self) -> Iterator[None]:
        """Within: streams that wait for what does not come, in a process of their own."""
        url, header = self._url("/events/stream?type=client.disabled"), self._headers["Authorization"]
        program = [sys.executable, "-m", "benchmarks.subscribers", url, str(SUBSCRIBERS)]
        with psutil.Popen(program, stdin=-1, stdout=-1, text=True) as process:
            try:
                process.stdin.write(header + "\n")
                process.stdin.flush()
                if process.stdout.readline() != "subscribed\n":
                    msg = "the subscribers were not let in"
                    raise CannotMeasure(msg)
                yield
            finally:
                process.terminate()

    async def _timed(self, session: aiohttp.ClientSession, url: str, due: float) -> float:
        async with session.get(url) as response:
            await response.read()
            if not response.ok:
                msg = f"{url} was answered {response.status}"
                raise CannotMeasure(msg)
        return (time.perf_counter() - due) * 1000

    def _history(self) -> str:
        return self._url(f"/tokens/{self._random.choice(self._jtis)}/events")

    def _page(self) -> str:
        as_of = datetime.now(UTC) - timedelta(seconds=self._random.uniform(1, 60))
        instant = as_of.isoformat().replace("+00:00", "Z")
        client, scope = f"client-{self._random.randrange(CLIENTS)}", self._random.choice(SCOPES)[0]
        choice = self._random.choice(
            [f"client_id={client}", f"scope={scope}", "status=revoked", f"client_id={client}&status=active", ""]
        )
        return self._url(f"/tokens?as_of={instant}&limit=100&{choice}".rstrip("&"))

    def _url(self, place: str) -> str:
        return self._served.url(f"{PATH}/audit{place}")

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(headers=self._headers, connector=aiohttp.TCPConnector(limit=64))


def _percentiles(times: Sequence[float]) -> Latency:
    ordered = sorted(times)
    return Latency(ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)])


def _as_table(results: Sequence[Measured]) -> str:
    rows: dict[str, Callable[[Measured], str]] = {
        "tokens": lambda r: f"{r.tokens:,}",
        "events": lambda r: f"{r.events:,}",
        f"history by jti at {HISTORY_RATE}/s: p50 / p99 ms": lambda r: f"{r.history.p50:.1f} / {r.history.p99:.1f}",
        "filtered as-of page of 100: p50 / p99 ms": lambda r: f"{r.page.p50:.1f} / {r.page.p99:.1f}",
        "NDJSON export, events/s": lambda r: f"{r.export_rate:,.0f}",
        "memory grown during the export, MiB": lambda r: f"{r.export_memory_mib:.0f}",
        "issuance /s, alone": lambda r: f"{r.issuance_rate:,.0f}",
        f"issuance /s, {SUBSCRIBERS} streams waiting": lambda r: f"{r.issuance_rate_with_subscribers:,.0f}",
        "issuance, us of CPU, alone": lambda r: f"{r.issuance_cpu_us:.0f}",
        f"issuance, us of CPU, {SUBSCRIBERS} waiting": lambda r: f"{r.issuance_cpu_us_with_subscribers:.0f}",
    }
    lines = [f"| {name} | {' | '.join(map(show, results))} |" for name, show in rows.items()]
    return "\n".join([lines[0], f"| --- |{' ---: |' * len(results)}", *lines[1:]])


if __name__ == "__main__":
    sys.exit(main())
