"""What a log of ten million tokens costs beside one of ten thousand: requests, bytes, memory, write-ahead log.

    python -m benchmarks.growth                        10 thousand, 1 million and 10 million tokens; half an hour
    python -m benchmarks.growth --tokens 2000 20000 --seconds 1 --repetitions 2     a look in a minute

Each size has a database of its own in one server, with a service of its own, and all of them run. They are driven in
turn, so that whatever else the machine does falls on all sizes. What only reads is measured first, while each log is as
long as it is called; then tokens are issued and revoked. Ten million tokens take 15 GB of disk. Needs wrk.
"""

import argparse
import asyncio
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import psutil

from api.operations.database import migrate
from benchmarks.command import benchmark, passing_folder
from benchmarks.contenders.starting import family
from benchmarks.contenders.token_ledger import PATH, TokenLedger, service_role
from benchmarks.database_server import SETTINGS, DatabaseServer, database_server
from benchmarks.filled_log import fill
from benchmarks.forms import issuance
from benchmarks.growth_report import Growth, Size, as_markdown, write_report
from benchmarks.growth_requests import READS, Asking, Revocations
from benchmarks.load.wrk import Load, check_installed
from benchmarks.measuring import say
from benchmarks.ports import free_ports
from benchmarks.processes import Server
from benchmarks.server_under_load import Measurement, measure
from benchmarks.storage import Storage

RATE = 1000.0
LIFETIME = timedelta(days=1)
"""Longer than it takes to issue ten million at that rate, so that none has expired."""

WARM_UP_SECONDS = 1
PORTS = 10


class Measured:
    """One size: its service, and what was measured of it so far."""

    def __init__(self, stack: ExitStack, server: DatabaseServer, folder: Path, tokens: int) -> None:
        """Fill a log and serve it until the stack ends."""
        self.folder = folder / str(tokens)
        self.folder.mkdir()
        database = server.database(f"growth_{tokens}")
        role = asyncio.run(service_role(database))
        asyncio.run(migrate(database.url, role.user, print))
        begun = time.perf_counter()
        filled = asyncio.run(fill(database.url, PATH.strip("/"), tokens=tokens, rate=RATE, lifetime=LIFETIME))
        self.size = Size(tokens, filled.events, time.perf_counter() - begun)
        self.storage = Storage(database.name, database.url, server.superuser_dsn)
        self.size.bytes_by_token = {name: size / tokens for name, size in self.storage.sizes().items()}
        port = free_ports(PORTS)
        running = stack.enter_context(TokenLedger().running(self.folder, database, port=port, processes=1))
        self.server = Server(port, running.pid)
        self.asking = Asking(self.server, filled.tokens)
        self.revocations = Revocations(self.server, filled.tokens, self.folder)

    def read(self, name: str, seconds: int, load: Load) -> Measurement:
        """Drive one of READS."""
        return measure(self.server, self.asking.requests(name), self.folder, load=load, seconds=seconds)

    def issue(self, seconds: int, load: Load) -> Measurement:
        """Issue tokens for that long, and count what that writes when the history has followed."""
        with self.storage.written(self.size.issued):
            return measure(self.server, [issuance(self.server)], self.folder, load=load, seconds=seconds)

    def revoke(self, seconds: int, load: Load) -> Measurement:
        """Revoke tokens from all over the log for that long, as far as there are any; then new ones."""
        self.revocations.prepare(seconds, load)
        with self.storage.written(self.size.revoked):
            return self.revocations.run(seconds, load)

    def memory(self) -> float:
        """Of the process that serves, in MiB."""
        return max(psutil.Process(pid).memory_info().rss for pid in family(self.server.pid)) / 2**20


@benchmark
def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 when there is no measurement."""
    options = _options(arguments)
    check_installed()
    with passing_folder(options.folder) as folder:
        growth = _run(folder, options)
    print(as_markdown(growth))
    if options.output:
        write_report(growth, options.output)
    return 0


def _run(folder: Path, options: argparse.Namespace) -> Growth:
    load, load_average = Load(connections=options.connections), os.getloadavg()[0]
    with ExitStack() as stack:
        server = stack.enter_context(database_server(folder / "postgres"))
        measured = []
        for tokens in sorted(options.tokens):
            say(f"filling a log with {tokens:,} tokens")
            measured.append(Measured(stack, server, folder, tokens))
            say(f"… in {measured[-1].size.load_seconds:.0f} s")
        measured[0].storage.checkpoint()
        for one in measured:
            one.size.memory_before = one.memory()
        for name in READS:
            _in_turn(measured, name, options, lambda one, seconds, name=name: one.read(name, seconds, load))
        for one in measured:
            one.size.memory_after_reads = one.memory()
        measured[0].storage.checkpoint()
        _in_turn(measured, "issue", options, lambda one, seconds: one.issue(seconds, load))
        measured[0].storage.checkpoint()
        _in_turn(measured, "revoke", options, lambda one, seconds: one.revoke(seconds, load))
        for one in measured:
            one.size.memory_after = one.memory()
        machine = (
            f"{os.cpu_count()} cores, Python {platform.python_version()}, PostgreSQL on the same machine, fsync on"
        )
        sizes = [one.size for one in measured]
        return Growth(machine, SETTINGS, options.seconds, options.repetitions, options.connections, load_average, sizes)


def _in_turn(
    measured: Sequence[Measured],
    name: str,
    options: argparse.Namespace,
    run: Callable[[Measured, int], Measurement],
) -> None:
    say(name)
    for one in measured:
        run(one, WARM_UP_SECONDS)
    for _ in range(options.repetitions):
        for one in measured:
            one.size.workloads.setdefault(name, []).append(run(one, options.seconds))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--tokens", type=int, nargs="+", default=[10_000, 1_000_000, 10_000_000], help="sizes of the log"
    )
    parser.add_argument("--seconds", type=int, default=5, help="length of one run of wrk")
    parser.add_argument("--repetitions", type=int, default=5, help="runs of each, in turn")
    parser.add_argument("--connections", type=int, default=Load.connections, help="connections that wrk keeps busy")
    parser.add_argument("--folder", type=Path, help="where the database is made; the temporary folder without it")
    parser.add_argument("--output", type=Path, help="a folder for growth.md and growth.json")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
