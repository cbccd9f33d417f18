"""Contenders under load: each workload in turn on all of them, again and again, so that what else happens hits all."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.cannot_measure import CannotMeasure
from benchmarks.database_server import DatabaseServer
from benchmarks.load import wrk
from benchmarks.load.kinds import Workload
from benchmarks.load.open_loop import pace
from benchmarks.load.request import Request, posted
from benchmarks.load.subject import Subject
from benchmarks.processor_time import cpu_seconds, cpu_seconds_with_children
from benchmarks.report.results import Latencies, Method, PacedRun, Run, Series

WARM_UP_SECONDS = 1
TRIES = 3
MOST_SPENT_IN_MIX = 400
"""Revocations that the requests of a mix are made for; each comes with 210 other requests."""


class Measuring:
    """Measures over one database server, with its files in a folder."""

    def __init__(self, server: DatabaseServer, folder: Path, method: Method) -> None:
        self._server = server
        self._folder = folder
        self._method = method
        self._load = wrk.Load(connections=method.connections)

    def closed(self, subjects: Sequence[Subject], workload: Workload) -> list[Series]:
        """The closed loop on each in turn, after a warm-up of each. Raises CannotMeasure."""
        runs: list[list[Run]] = [[] for _ in subjects]
        say(f"{workload.name}: {', '.join(subject.name for subject in subjects)}")
        for subject in subjects:
            self.press(subject, workload, WARM_UP_SECONDS)
        for _ in range(self._method.repetitions):
            for subject, taken in zip(subjects, runs, strict=True):
                taken.append(self.press(subject, workload, self._method.seconds))
        return [
            Series(contender=subject.name, processes=subject.processes, workload=workload.name, runs=taken)
            for subject, taken in zip(subjects, runs, strict=True)
        ]

    def closed_requests(self, subject: Subject, name: str, requests: Sequence[Request]) -> Series:
        """The same with requests that are no workload of every contender."""
        say(f"{name}: {subject.name}")
        self._timed(subject, requests, WARM_UP_SECONDS)
        runs = [self._timed(subject, requests, self._method.seconds) for _ in range(self._method.repetitions)]
        return Series(contender=subject.name, processes=subject.processes, workload=name, runs=runs)

    def paced(self, subjects: Sequence[tuple[Subject, int]], workload: Workload) -> list[Latencies]:
        """The open loop on each in turn, at its own rate. Raises CannotMeasure."""
        prepared = [(subject, rate, workload.requests(subject, ())) for subject, rate in subjects]
        return self.paced_requests(prepared, workload.name)

    def paced_requests(self, prepared: Sequence[tuple[Subject, int, Sequence[Request]]], name: str) -> list[Latencies]:
        """The same with requests that were made before."""
        say(f"{name} at a constant rate: {', '.join(f'{subject.name} {rate}/s' for subject, rate, _ in prepared)}")
        runs: list[list[PacedRun]] = [[] for _ in prepared]
        for _ in range(self._method.paced_repetitions):
            for (_, rate, requests), taken in zip(prepared, runs, strict=True):
                found = pace(requests, self._folder, rate=rate, seconds=self._method.paced_seconds)
                taken.append(PacedRun(**asdict(found)))
        return [
            Latencies(contender=subject.name, workload=name, rate=rate, runs=taken)
            for (subject, rate, _), taken in zip(prepared, runs, strict=True)
        ]

    def press(self, subject: Subject, workload: Workload, seconds: int) -> Run:
        """One run of the closed loop. Raises CannotMeasure."""
        if not workload.spends:
            return self._timed(subject, workload.requests(subject, ()), seconds)
        harvesting = 2 * seconds if workload.spends == 1 else 1
        for _ in range(TRIES):
            spent = self.harvest(subject, harvesting)
            if workload.spends < 1:
                spent = spent[:MOST_SPENT_IN_MIX]
            run = self._timed(subject, workload.requests(subject, spent), seconds)
            if subject.forgets or run.requests * workload.spends <= len(spent):
                return run
            harvesting *= 2
        msg = f"{subject.name} revokes much faster than it issues; {len(spent)} tokens did not last {seconds} s"
        raise CannotMeasure(msg)

    def harvest(self, subject: Subject, seconds: int) -> list[str]:
        """Tokens that a contender issues in that time. Raises CannotMeasure when it issues none."""
        tokens = wrk.harvest(posted(subject.running.issue()), self._folder, load=self._load, seconds=seconds)
        if not tokens:
            msg = f"{subject.name} issued no token in {seconds} s"
            raise CannotMeasure(msg)
        return tokens

    def _timed(self, subject: Subject, requests: Sequence[Request], seconds: int) -> Run:
        pids = subject.running.pids
        server, database = cpu_seconds(pids), cpu_seconds_with_children(self._server.pid)
        pressed = wrk.press(requests, self._folder, load=self._load, seconds=seconds)
        return Run(
            requests=pressed.requests,
            seconds=pressed.seconds,
            p50_ms=pressed.p50_ms,
            p99_ms=pressed.p99_ms,
            server_cpu=cpu_seconds(pids) - server,
            database_cpu=cpu_seconds_with_children(self._server.pid) - database,
            load_cpu=pressed.cpu_seconds,
        )


def say(line: str) -> None:
    """What is being done, for who waits."""
    print(line, file=sys.stderr, flush=True)
