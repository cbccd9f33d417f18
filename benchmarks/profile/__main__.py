"""Profile the service while it introspects and issues, and write where its CPU time goes.

    python -m benchmarks.profile [--short] [--tokens 100000] [--seconds 20] [--folder docs/benchmarks]

Needs wrk, py-spy and the permission to inspect a process. It writes profiles.md and a flame graph per workload.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.command import benchmark, log_progress, parse_options, temporary_folder
from benchmarks.cpu_time import cpu_seconds
from benchmarks.database_server import database_server
from benchmarks.errors import MeasurementError
from benchmarks.load.target import LoadTarget
from benchmarks.load.workloads import WORKLOADS
from benchmarks.load.wrk import Load, require_wrk, run_closed_loop
from benchmarks.machine import current_commit, current_time, describe_machine
from benchmarks.profile.page import Profile, ProfileReport, write_page
from benchmarks.profile.sampling import find_py_spy, sample_stacks
from benchmarks.profile.stacks import read_stacks
from benchmarks.report.paths import FOLDER
from benchmarks.report.results import ISSUE, MIX
from benchmarks.served_log import create_served_log

NAMES = {"introspect": MIX, "issue": ISSUE}
"""Workloads by the names of their files."""

LOAD = Load()
SHORT = {"tokens": 10_000, "seconds": 3}
WARM_UP_SECONDS = 2
MARGIN_SECONDS = 3
"""The load lasts longer than the sampling, which starts when py-spy has read the symbols."""


@benchmark
def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0, or 1 when a measurement is not possible."""
    options = _options(arguments)
    require_wrk()
    find_py_spy()
    machine = describe_machine()
    with temporary_folder() as folder, database_server(folder / "postgres") as server:
        served = create_served_log(server, folder, options.tokens)
        with served.serve(1) as (target, _):
            profiles = [_profile(name, target, folder, options.seconds) for name in NAMES]
    found = ProfileReport(
        current_time(), current_commit(), machine, LOAD.connections, options.tokens, options.seconds, profiles
    )
    print(write_page(found, options.folder))
    return 0


def _profile(name: str, target: LoadTarget, folder: Path, seconds: int) -> Profile:
    """Measure the CPU time of a request, then sample stacks under the same load. Raises MeasurementError."""
    workload, raw = WORKLOADS[NAMES[name]], folder / f"{name}.raw"
    (pid,) = target.running.pids
    requests = workload.build(target, ())
    log_progress(f"{workload.name}: CPU time")
    run_closed_loop(requests, folder, load=LOAD, seconds=WARM_UP_SECONDS)
    before = cpu_seconds([pid])
    result = run_closed_loop(requests, folder, load=LOAD, seconds=seconds)
    cpu_us = (cpu_seconds([pid]) - before) / result.requests * 1e6
    log_progress(f"{workload.name}: stacks")
    with sample_stacks(pid, raw, seconds=seconds):
        run_closed_loop(requests, folder, load=LOAD, seconds=seconds + MARGIN_SECONDS)
    with raw.open(encoding="utf-8") as lines:
        stacks = list(read_stacks(lines))
    if not stacks:
        msg = f"py-spy found no active stack; its output has {raw.stat().st_size} bytes"
        raise MeasurementError(msg)
    return Profile(name, workload.name, cpu_us, stacks)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__.partition("\n")[0])
    parser.add_argument("--tokens", type=int, default=100_000, help="tokens in the log")
    parser.add_argument("--seconds", type=int, default=20, help="how long each workload is sampled")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="folder for the page and the flame graphs")
    return parse_options(parser, arguments, short=SHORT)


if __name__ == "__main__":
    sys.exit(main())
