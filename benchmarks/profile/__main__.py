"""Samples the service while it introspects and issues, and writes where its processor time goes.

    python -m benchmarks.profile [--short] [--tokens 100000] [--seconds 20] [--folder docs/benchmarks]

Needs wrk, py-spy and the right to look into a process. The page is profiles.md, with a flame graph for each workload.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.cannot_measure import CannotMeasure
from benchmarks.command import benchmark, options_of, passing_folder
from benchmarks.database_server import database_server
from benchmarks.load.kinds import WORKLOADS
from benchmarks.load.subject import Subject
from benchmarks.load.wrk import Load, check_installed, press
from benchmarks.machine import commit, machine, now
from benchmarks.measuring import say
from benchmarks.processor_time import cpu_seconds
from benchmarks.profile.page import Profile, Profiled, write_page
from benchmarks.profile.sampling import program, sampled
from benchmarks.profile.stacks import read_stacks
from benchmarks.report.places import FOLDER
from benchmarks.report.results import ISSUE, MIX
from benchmarks.served_log import filled

NAMES = {"introspect": MIX, "issue": ISSUE}
"""Workloads by what their files are called by."""

LOAD = Load()
SHORT = {"tokens": 10_000, "seconds": 3}
WARM_UP_SECONDS = 2
MARGIN_SECONDS = 3
"""The load lasts so much longer than the samples, which begin when py-spy has read the symbols."""


@benchmark
def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 when there is no measurement."""
    options = _options(arguments)
    check_installed()
    program()
    where = machine()
    with passing_folder() as folder, database_server(folder / "postgres") as server:
        served = filled(server, folder, options.tokens)
        with served.by(1) as (subject, _):
            profiles = [_profile(name, subject, folder, options.seconds) for name in NAMES]
    found = Profiled(now(), commit(), where, LOAD.connections, options.tokens, options.seconds, profiles)
    print(write_page(found, options.folder))
    return 0


def _profile(name: str, subject: Subject, folder: Path, seconds: int) -> Profile:
    """What a request costs the process, and then what the process does for as many more. Raises CannotMeasure."""
    workload, raw = WORKLOADS[NAMES[name]], folder / f"{name}.raw"
    (pid,) = subject.running.pids
    requests = workload.requests(subject, ())
    say(f"{workload.name}: processor time")
    press(requests, folder, load=LOAD, seconds=WARM_UP_SECONDS)
    before = cpu_seconds([pid])
    pressed = press(requests, folder, load=LOAD, seconds=seconds)
    cpu_us = (cpu_seconds([pid]) - before) / pressed.requests * 1e6
    say(f"{workload.name}: stacks")
    with sampled(pid, raw, seconds=seconds):
        press(requests, folder, load=LOAD, seconds=seconds + MARGIN_SECONDS)
    with raw.open(encoding="utf-8") as lines:
        stacks = list(read_stacks(lines))
    if not stacks:
        msg = f"py-spy never saw the process at work; what it wrote has {raw.stat().st_size} bytes"
        raise CannotMeasure(msg)
    return Profile(name, workload.name, cpu_us, stacks)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__.partition("\n")[0])
    parser.add_argument("--tokens", type=int, default=100_000, help="tokens in the log")
    parser.add_argument("--seconds", type=int, default=20, help="how long each workload is sampled")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the page and the flame graphs go")
    return options_of(parser, arguments, short=SHORT)


if __name__ == "__main__":
    sys.exit(main())
