"""Measures peers, each beside the service, over one database server, and writes what it found as JSON.

    python -m benchmarks.peers NAME ... [--short] [--processes 1] [--folder docs/benchmarks] [--keep FOLDER]

A peer is installed into a folder of its own, run and removed. One that cannot be had is written down with the reason.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from benchmarks.cannot_measure import CannotMeasure
from benchmarks.comparison import Findings
from benchmarks.contenders.catalogue import OURS, PEERS, contender
from benchmarks.contenders.contender import CannotHave, Contender
from benchmarks.contenders.exchange import exchange
from benchmarks.database_server import DatabaseServer, database_server
from benchmarks.load.kinds import WORKLOADS
from benchmarks.load.subject import Asked, Subject
from benchmarks.load.wrk import check_installed
from benchmarks.machine import commit, machine, now, tools
from benchmarks.measuring import Measuring, say
from benchmarks.ports import free_ports
from benchmarks.report.places import FOLDER, peer_file
from benchmarks.report.results import ISSUE, LIVE, MIX, MIXED, REVOKE, Method, Results, write_results

METHOD = Method(connections=64, seconds=3, repetitions=3, paced_seconds=6, paced_repetitions=3, tokens=0, rebuilds=0)
SHORT = Method(connections=64, seconds=1, repetitions=1, paced_seconds=2, paced_repetitions=1, tokens=0, rebuilds=0)

PORTS = 10
WARM_UP_SECONDS = 6
"""For a runtime that compiles what it runs often."""

MOST_TOKENS = 5_000


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 when a peer was not measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="+", choices=[*PEERS, "all"], metavar="NAME", help=f"{', '.join(PEERS)} or all")
    parser.add_argument("--short", action="store_true", help="a look; its numbers say little")
    parser.add_argument("--processes", type=int, default=1, help="worker processes of each, or processors")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write what was found")
    parser.add_argument("--keep", type=Path, help="install into folders below this one and leave them there")
    options = parser.parse_args(arguments)
    names = PEERS if "all" in options.names else options.names
    measured = [_against(name, options) for name in names]
    return int(not all(measured))


def _against(name: str, options: argparse.Namespace) -> bool:
    method = SHORT if options.short else METHOD
    file = peer_file(options.folder, name)
    try:
        check_installed()
        with _folder(name, options.keep) as folder:
            write_results(_measure(name, folder, method, options.processes), file)
    except (CannotHave, CannotMeasure) as reason:
        say(f"{name}: {reason}")
        if not file.exists():
            write_results(_absent(name, method, str(reason)), file)
        return False
    return True


def _measure(name: str, folder: Path, method: Method, processes: int) -> Results:
    where = machine()
    peer, own = contender(name), contender(OURS)
    say(f"setting up {name}")
    versions = {name: dict(peer.set_up(folder / "peer")), OURS: dict(own.set_up(folder / "ours"))}
    found = Findings()
    with database_server(folder / "postgres") as server:
        server.write_the_wal_once()
        versions["tools"] = tools(server.version())
        measuring = Measuring(server, folder, method)
        with (
            _running(own, folder / "ours", server, processes, measuring) as ours,
            _running(peer, folder / "peer", server, processes, measuring) as other,
        ):
            subjects = [other, ours]
            found.press(measuring, subjects, [ISSUE, LIVE, MIX, REVOKE, MIXED])
            found.pace(measuring, subjects, [MIX, ISSUE])
            found.pace_alike(measuring, ours, other, MIX)
            known = min(subject.asked.known for subject in subjects)
    return Results(
        taken_at=now(),
        commit=commit(),
        machine=where,
        method=replace(method, tokens=known),
        versions=versions,
        notes={name: peer.notes, OURS: own.notes},
        series=found.series,
        latencies=found.latencies,
        absent=found.absent,
    )


@contextmanager
def _running(
    found: Contender, folder: Path, server: DatabaseServer, processes: int, measuring: Measuring
) -> Iterator[Subject]:
    """The contender, warm, and asked about tokens that it issued meanwhile."""
    say(f"starting {found.name}")
    database = server.database(found.name.replace("-", "_"))
    with found.running(folder, database, port=free_ports(PORTS), processes=processes) as running:
        live, revoked = exchange(running)
        fresh = Subject(found.name, processes, running, Asked(1, lambda _number: live, live, revoked))
        tokens = measuring.harvest(fresh, WARM_UP_SECONDS)[:MOST_TOKENS]
        warm = Subject(found.name, processes, running, Asked(len(tokens), tokens.__getitem__, live, revoked))
        measuring.press(warm, WORKLOADS[MIX], WARM_UP_SECONDS)
        yield warm


@contextmanager
def _folder(name: str, keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        yield (keep / name).resolve()
        return
    with tempfile.TemporaryDirectory(prefix="token-ledger-benchmark-", ignore_cleanup_errors=True) as made:
        yield Path(made)


def _absent(name: str, method: Method, reason: str) -> Results:
    return Results(
        taken_at=now(),
        commit=commit(),
        machine=machine(),
        method=method,
        versions={},
        notes={},
        series=[],
        latencies=[],
        absent={name: reason},
    )


if __name__ == "__main__":
    sys.exit(main())
