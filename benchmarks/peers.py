"""Measure peers, each next to the service and over the same database server, and write the results as JSON.

    python -m benchmarks.peers NAME ... [--short] [--processes 1] [--folder docs/benchmarks] [--keep FOLDER]

Each peer is installed into its own folder, run and removed. The results say why a peer could not be measured.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from msgspec.structs import replace

from benchmarks.command import log_progress, temporary_folder
from benchmarks.comparison import Comparison
from benchmarks.contenders.catalogue import OURS, PEERS, load_contender
from benchmarks.contenders.contender import Contender
from benchmarks.contenders.protocol_check import check_contender
from benchmarks.database_server import database_server
from benchmarks.errors import ContenderUnavailable, MeasurementError
from benchmarks.load.target import KnownTokens, LoadTarget
from benchmarks.load.workloads import WORKLOADS
from benchmarks.load.wrk import require_wrk
from benchmarks.machine import current_commit, current_time, describe_machine, tool_versions
from benchmarks.ports import PORTS_PER_CONTENDER, free_ports
from benchmarks.report.paths import FOLDER, peer_file
from benchmarks.report.results import ISSUE, LIVE, MIX, MIXED, REVOKE, Method, Results, write_results

METHOD = Method(connections=64, seconds=3, repetitions=3, paced_seconds=6, paced_repetitions=3, tokens=0, rebuilds=0)
SHORT = Method(connections=64, seconds=1, repetitions=1, paced_seconds=2, paced_repetitions=1, tokens=0, rebuilds=0)

WARM_UP_SECONDS = 6
"""Long enough for runtimes with a just-in-time compiler."""

MAX_KNOWN_TOKENS = 5_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0, or 1 when a peer was not measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="+", choices=[*PEERS, "all"], metavar="NAME", help=f"{', '.join(PEERS)} or all")
    parser.add_argument("--short", action="store_true", help="a quick run; its numbers mean little")
    parser.add_argument("--processes", type=int, default=1, help="worker processes or processors of each server")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="folder for the results")
    parser.add_argument("--keep", type=Path, help="install into folders below this one and keep them")
    options = parser.parse_args(arguments)
    names = PEERS if "all" in options.names else options.names
    measured = [_measure_or_record_reason(name, options) for name in names]
    return int(not all(measured))


def _measure_or_record_reason(name: str, options: argparse.Namespace) -> bool:
    method = SHORT if options.short else METHOD
    file = peer_file(options.folder, name)
    try:
        require_wrk()
        with nullcontext((options.keep / name).resolve()) if options.keep else temporary_folder() as folder:
            write_results(_measure(name, folder, method, options.processes), file)
    except (ContenderUnavailable, MeasurementError) as reason:
        log_progress(f"{name}: {reason}")
        if not file.exists():
            absent = Results(
                taken_at=current_time(),
                commit=current_commit(),
                machine=describe_machine(),
                method=method,
                versions={},
                notes={},
                series=[],
                latencies=[],
                absent={name: str(reason)},
            )
            write_results(absent, file)
        return False
    return True


def _measure(name: str, folder: Path, method: Method, processes: int) -> Results:
    machine = describe_machine()
    peer, own = load_contender(name), load_contender(OURS)
    log_progress(f"setting up {name}")
    versions = {name: dict(peer.set_up(folder / "peer")), OURS: dict(own.set_up(folder / "ours"))}
    with database_server(folder / "postgres") as server:
        server.preallocate_wal()
        versions["tools"] = tool_versions(server.version())
        comparison = Comparison(server, folder, method)
        with (
            _serve(own, folder / "ours", comparison, processes) as ours,
            _serve(peer, folder / "peer", comparison, processes) as other,
        ):
            comparison.measure_rates([other, ours], [ISSUE, LIVE, MIX, REVOKE, MIXED])
            comparison.measure_latencies([other, ours], [MIX, ISSUE])
            comparison.measure_latencies_at_rate_of(other, ours, MIX)
            tokens = min(ours.tokens.count, other.tokens.count)
    return Results(
        taken_at=current_time(),
        commit=current_commit(),
        machine=machine,
        method=replace(method, tokens=tokens),
        versions=versions,
        notes={name: peer.notes, OURS: own.notes},
        series=comparison.series,
        latencies=comparison.latencies,
        absent=comparison.absent,
    )


@contextmanager
def _serve(contender: Contender, folder: Path, comparison: Comparison, processes: int) -> Iterator[LoadTarget]:
    """Run a contender, warm it up, and issue the tokens that requests will be about."""
    name = contender.name
    log_progress(f"starting {name}")
    database = comparison.server.database(name.replace("-", "_"))
    with contender.serve(folder, database, port=free_ports(PORTS_PER_CONTENDER), processes=processes) as running:
        live, revoked = check_contender(running)
        cold = LoadTarget(name, processes, running, KnownTokens(1, lambda _number: live, live, revoked))
        tokens = comparison.issue_tokens(cold, WARM_UP_SECONDS)[:MAX_KNOWN_TOKENS]
        warm = LoadTarget(name, processes, running, KnownTokens(len(tokens), tokens.__getitem__, live, revoked))
        comparison.run_workload(warm, WORKLOADS[MIX], WARM_UP_SECONDS)
        yield warm


if __name__ == "__main__":
    sys.exit(main())
