"""Compare a log of ten million tokens with one of ten thousand: requests, storage, memory, write-ahead log.

    python -m benchmarks.growth                        10 thousand, 1 million and 10 million tokens; half an hour
    python -m benchmarks.growth --tokens 2000 20000 --seconds 1 --repetitions 2     a quick run of a minute

Each size has its own database in one server and its own service, and all of them run at the same time. The runs
alternate between the sizes, so that other load on the machine affects all of them. Reads are measured first, while the
logs have their exact size; then tokens are issued and revoked. Ten million tokens take 15 GB of disk. Needs wrk.
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
from functools import partial
from pathlib import Path

import psutil

from api.operations.database import migrate
from api.service.settings import load_settings
from benchmarks.command import benchmark, log_progress, temporary_folder
from benchmarks.contenders.processes import process_tree
from benchmarks.contenders.token_ledger import CONTENDER, LOG, create_service_role
from benchmarks.database_server import SETTINGS, DatabaseServer, database_server
from benchmarks.demo_service import Measurement, Server, issuance_request, measure
from benchmarks.filled_log import fill_log
from benchmarks.growth.report import Growth, Size, as_markdown, write_report
from benchmarks.growth.requests import READS, ReadRequests, Revocations
from benchmarks.growth.storage import Storage
from benchmarks.load.wrk import Load, require_wrk
from benchmarks.ports import PORTS_PER_CONTENDER, free_ports

RATE = 1000.0
LIFETIME = timedelta(days=1)
"""Ten million tokens at RATE take less than a day, so that none has expired."""

WARM_UP_SECONDS = 1


class ServedSize:
    """A filled log of one size, its service, and the measurements taken of it."""

    def __init__(self, stack: ExitStack, server: DatabaseServer, folder: Path, tokens: int) -> None:
        """Fill the log, and serve it until the stack closes."""
        self.folder = folder / str(tokens)
        self.folder.mkdir()
        database = server.database(f"growth_{tokens}")
        role = asyncio.run(create_service_role(database))
        asyncio.run(migrate(database.url, load_settings({"service_role": role.user}), log_progress))
        begun = time.perf_counter()
        filled = asyncio.run(fill_log(database.url, LOG, tokens=tokens, rate=RATE, lifetime=LIFETIME))
        self.size = Size(tokens, filled.events, time.perf_counter() - begun)
        self.storage = Storage(database.name, database.url, server.superuser_dsn)
        self.size.bytes_by_token = {name: size / tokens for name, size in self.storage.sizes().items()}
        port = free_ports(PORTS_PER_CONTENDER)
        running = stack.enter_context(CONTENDER.serve(self.folder, database, port=port, processes=1))
        self.server = Server(port, running.pid)
        self.reads = ReadRequests(self.server, filled.tokens)
        self.revocations = Revocations(self.server, filled.tokens, self.folder)

    def read(self, name: str, seconds: int, load: Load) -> Measurement:
        return measure(self.server, self.reads.build(name), self.folder, load=load, seconds=seconds)

    def issue(self, seconds: int, load: Load) -> Measurement:
        """Issue tokens, and add what that wrote, including the history, to `size.issued`."""
        with self.storage.count_growth(self.size.issued):
            return measure(self.server, [issuance_request(self.server)], self.folder, load=load, seconds=seconds)

    def revoke(self, seconds: int, load: Load) -> Measurement:
        """Revoke tokens, and add what that wrote to `size.revoked`."""
        self.revocations.prepare(seconds, load)
        with self.storage.count_growth(self.size.revoked):
            return self.revocations.run(seconds, load)

    def memory(self) -> float:
        """Return the memory of the service process in MiB."""
        return max(psutil.Process(pid).memory_info().rss for pid in process_tree(self.server.pid)) / 2**20


@benchmark
def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0, or 1 when a measurement is not possible."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__.partition("\n")[0])
    sizes = [10_000, 1_000_000, 10_000_000]
    parser.add_argument("--tokens", type=int, nargs="+", default=sizes, help="sizes of the log")
    parser.add_argument("--seconds", type=int, default=5, help="length of one run of wrk")
    parser.add_argument("--repetitions", type=int, default=5, help="runs of each workload")
    parser.add_argument("--connections", type=int, default=Load.connections, help="connections of wrk")
    parser.add_argument("--folder", type=Path, help="where to create the database instead of the temporary folder")
    parser.add_argument("--output", type=Path, help="folder for growth.md and growth.json")
    options = parser.parse_args(arguments)
    require_wrk()
    with temporary_folder(options.folder) as folder:
        growth = _run(folder, options)
    print(as_markdown(growth))
    if options.output:
        write_report(growth, options.output)
    return 0


def _run(folder: Path, options: argparse.Namespace) -> Growth:
    load, load_average = Load(connections=options.connections), os.getloadavg()[0]
    with ExitStack() as stack:
        server = stack.enter_context(database_server(folder / "postgres"))
        served: list[ServedSize] = []
        for tokens in sorted(options.tokens):
            log_progress(f"filling a log with {tokens:,} tokens")
            served.append(ServedSize(stack, server, folder, tokens))
            log_progress(f"… in {served[-1].size.load_seconds:.0f} s")
        server.checkpoint()
        for one in served:
            one.size.memory_before = one.memory()
        for name in READS:
            _alternate(served, name, options, partial(ServedSize.read, name=name, load=load))
        for one in served:
            one.size.memory_after_reads = one.memory()
        for name, write in (("issue", ServedSize.issue), ("revoke", ServedSize.revoke)):
            # After a checkpoint, the first change of each page is logged with the whole page.
            server.checkpoint()
            _alternate(served, name, options, partial(write, load=load))
        for one in served:
            one.size.memory_after = one.memory()
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, PostgreSQL on the same machine, fsync on"
    sizes = [one.size for one in served]
    return Growth(machine, SETTINGS, options.seconds, options.repetitions, options.connections, load_average, sizes)


def _alternate(
    served: Sequence[ServedSize], name: str, options: argparse.Namespace, run: Callable[..., Measurement]
) -> None:
    log_progress(name)
    for one in served:
        run(one, seconds=WARM_UP_SECONDS)
    for _ in range(options.repetitions):
        for one in served:
            one.size.workloads.setdefault(name, []).append(run(one, seconds=options.seconds))


if __name__ == "__main__":
    sys.exit(main())
