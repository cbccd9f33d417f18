"""How fast the log is exported over HTTP, and in how much memory.

    python -m benchmarks.export [--events 50000] [--repetitions 5]

The events are recorded first, over HTTP as well. An export is timed once the projections have read them, so that they
do not share the process with it.
"""

import argparse
import asyncio
import http.client
import json
import statistics
import sys
import time
from collections.abc import Mapping, Sequence

import aiohttp
import psutil

from benchmarks.command import benchmark, passing_folder
from benchmarks.forms import ISSUE, TOKEN
from benchmarks.processes import PATH, CannotMeasure, Server, post, service

WRITERS = 64
PATIENCE_SECONDS = 60.0
AUDITOR = {"client_id": "auditor", "client_secret": "auditor-secret", "grant_type": "client_credentials"}
MEGABYTE = 2**20


async def record(server: Server, events: int) -> None:
    """So many tokens, issued by clients that do not wait for each other."""
    left = iter(range(events))
    async with aiohttp.ClientSession() as session:

        async def write() -> None:
            for _ in left:
                async with session.post(server.url(TOKEN), data=ISSUE) as response:
                    await response.read()

        await asyncio.gather(*(write() for _ in range(WRITERS)))


def export(server: Server, headers: Mapping[str, str]) -> tuple[int, float]:
    """How many events came, and in how many seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_SECONDS)
    try:
        begun = time.perf_counter()
        connection.request("GET", f"{PATH}/audit/events", headers={**headers, "Accept": "application/x-ndjson"})
        response = connection.getresponse()
        lines = 0
        while chunk := response.read1(MEGABYTE):
            lines += chunk.count(b"\n")
        return lines, time.perf_counter() - begun
    finally:
        connection.close()


def wait_for_projections(server: Server, headers: Mapping[str, str], position: int) -> None:
    """Return once a search reaches a position."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_SECONDS)
        connection.request("GET", f"{PATH}/audit/tokens?limit=1&min_position={position}", headers=headers)
        status = connection.getresponse().status
        connection.close()
        if status == http.client.OK:
            return
    msg = f"the projections did not come to position {position} in {PATIENCE_SECONDS:.0f} s"
    raise CannotMeasure(msg)


@benchmark
def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 when there is no measurement."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.export", description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=50_000, help="how many tokens to issue before")
    parser.add_argument("--repetitions", type=int, default=5, help="how many exports")
    options = parser.parse_args(arguments)
    with passing_folder() as folder, service(folder) as server:
        asyncio.run(record(server, options.events))
        answer = json.loads(post(server, TOKEN, **AUDITOR, scope="audit.read"))
        headers = {"Authorization": f"Bearer {answer['access_token']}"}
        wait_for_projections(server, headers, options.events)
        before = psutil.Process(server.pid).memory_info().rss
        runs = [export(server, headers) for _ in range(options.repetitions)]
        after = psutil.Process(server.pid).memory_info().rss
    rates = [events / seconds for events, seconds in runs]
    print(f"{runs[0][0]:,} events, {statistics.median(rates):,.0f} /s ({min(rates):,.0f} - {max(rates):,.0f})")
    print(f"memory of the process: {before / MEGABYTE:.0f} MB before, {after / MEGABYTE:.0f} MB after")
    return 0


if __name__ == "__main__":
    sys.exit(main())
