"""Measures all workloads on contenders. Runs alternate between contenders, so that other load affects all of them."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.command import log_progress
from benchmarks.cpu_time import cpu_seconds, tree_cpu_seconds
from benchmarks.database_server import DatabaseServer
from benchmarks.errors import MeasurementError
from benchmarks.load import wrk
from benchmarks.load.open_loop import run_open_loop
from benchmarks.load.request import Request, form_request
from benchmarks.load.target import LoadTarget
from benchmarks.load.workloads import WORKLOADS, Workload
from benchmarks.report.results import Latencies, Method, PacedRun, Run, Series

WARM_UP_SECONDS = 1
REVOCATION_TRIES = 3
MAX_MIXED_REVOCATIONS = 400
"""Revocations for which a mix is prepared; each belongs to 210 other requests."""

LATENCY_RATE_SHARE = 0.5
"""Latencies are measured at this share of the maximum rate."""


@dataclass
class Comparison:
    """Measures over one database server, and collects the results and what could not be measured."""

    server: DatabaseServer
    folder: Path
    method: Method
    series: list[Series] = field(default_factory=list)
    latencies: list[Latencies] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)

    def attempt(self, name: str, part: Callable[[], None]) -> None:
        """Run a part; when it raises MeasurementError, record the reason in `absent`."""
        try:
            part()
        except MeasurementError as reason:
            log_progress(f"{name}: {reason}")
            self.absent[name] = str(reason)

    def measure_rates(self, targets: Sequence[LoadTarget], names: Sequence[str]) -> None:
        """Measure the maximum rate of each workload on each target."""
        for name in names:
            self.attempt(name, partial(self._measure_rates, targets, WORKLOADS[name]))

    def measure_latencies(self, targets: Sequence[LoadTarget], names: Sequence[str]) -> None:
        """Measure each workload at half of the maximum rate of each target."""
        for name in names:
            rates = [(target, self._max_rate(target, name)) for target in targets]
            self._measure_latencies(f"latencies: {name}", name, rates)

    def measure_latencies_at_rate_of(self, other: LoadTarget, target: LoadTarget, name: str) -> None:
        """Measure a workload at half of the maximum rate of another target."""
        rates = [(target, self._max_rate(other, name))]
        self._measure_latencies(f"latencies at the rate of {other.name}: {name}", name, rates)

    def measure_request_rate(self, target: LoadTarget, name: str, requests: Sequence[Request]) -> None:
        """Measure the maximum rate of given requests."""
        log_progress(f"{name}: {target.name}")
        self._run(target, requests, WARM_UP_SECONDS)
        runs = [self._run(target, requests, self.method.seconds) for _ in range(self.method.repetitions)]
        self.series.append(_series(target, name, runs))

    def measure_request_latencies(
        self, name: str, prepared: Sequence[tuple[LoadTarget, int, Sequence[Request]]]
    ) -> None:
        """Measure given requests on each target at a constant rate."""
        rates = ", ".join(f"{target.name} {rate}/s" for target, rate, _ in prepared)
        log_progress(f"{name} at a constant rate: {rates}")
        runs: list[list[PacedRun]] = [[] for _ in prepared]
        for _ in range(self.method.paced_repetitions):
            for (_, rate, requests), taken in zip(prepared, runs, strict=True):
                found = run_open_loop(requests, self.folder, rate=rate, seconds=self.method.paced_seconds)
                taken.append(PacedRun(**asdict(found)))
        self.latencies += [
            Latencies(contender=target.name, workload=name, rate=rate, runs=taken)
            for (target, rate, _), taken in zip(prepared, runs, strict=True)
        ]

    def run_workload(self, target: LoadTarget, workload: Workload, seconds: int) -> Run:
        """Run the closed loop once. Raises MeasurementError."""
        if not workload.revocations_per_request:
            return self._run(target, workload.build(target, ()), seconds)
        issue_seconds = 2 * seconds if workload.revocations_per_request == 1 else 1
        for _ in range(REVOCATION_TRIES):
            new_tokens = self.issue_tokens(target, issue_seconds)
            if workload.revocations_per_request < 1:
                new_tokens = new_tokens[:MAX_MIXED_REVOCATIONS]
            run = self._run(target, workload.build(target, new_tokens), seconds)
            if target.accepts_any_token or run.requests * workload.revocations_per_request <= len(new_tokens):
                return run
            issue_seconds *= 2
        msg = f"{target.name} revokes faster than it issues: {len(new_tokens)} tokens were not enough for {seconds} s"
        raise MeasurementError(msg)

    def issue_tokens(self, target: LoadTarget, seconds: int) -> list[str]:
        """Issue tokens for that long. Raises MeasurementError when there are none."""
        load = wrk.Load(connections=self.method.connections)
        tokens = wrk.issue_tokens(form_request(target.running.issue()), self.folder, load=load, seconds=seconds)
        if not tokens:
            msg = f"{target.name} issued no token in {seconds} s"
            raise MeasurementError(msg)
        return tokens

    def _measure_rates(self, targets: Sequence[LoadTarget], workload: Workload) -> None:
        log_progress(f"{workload.name}: {', '.join(target.name for target in targets)}")
        for target in targets:
            self.run_workload(target, workload, WARM_UP_SECONDS)
        runs: list[list[Run]] = [[] for _ in targets]
        for _ in range(self.method.repetitions):
            for target, taken in zip(targets, runs, strict=True):
                taken.append(self.run_workload(target, workload, self.method.seconds))
        self.series += [_series(target, workload.name, taken) for target, taken in zip(targets, runs, strict=True)]

    def _measure_latencies(self, part: str, name: str, rates: Sequence[tuple[LoadTarget, float | None]]) -> None:
        build = WORKLOADS[name].build
        prepared = [
            (target, max(1, round(rate * LATENCY_RATE_SHARE)), build(target, ())) for target, rate in rates if rate
        ]
        if prepared:
            self.attempt(part, partial(self.measure_request_latencies, name, prepared))

    def _max_rate(self, target: LoadTarget, workload: str) -> float | None:
        wanted = (target.name, target.processes, workload)
        return next((s.rate for s in self.series if (s.contender, s.processes, s.workload) == wanted), None)

    def _run(self, target: LoadTarget, requests: Sequence[Request], seconds: int) -> Run:
        pids, load = target.running.pids, wrk.Load(connections=self.method.connections)
        server, database = cpu_seconds(pids), tree_cpu_seconds(self.server.pid)
        result = wrk.run_closed_loop(requests, self.folder, load=load, seconds=seconds)
        return Run(
            requests=result.requests,
            seconds=result.seconds,
            p50_ms=result.p50_ms,
            p99_ms=result.p99_ms,
            server_cpu=cpu_seconds(pids) - server,
            database_cpu=tree_cpu_seconds(self.server.pid) - database,
            load_cpu=result.cpu_seconds,
        )


def _series(target: LoadTarget, workload: str, runs: list[Run]) -> Series:
    return Series(contender=target.name, processes=target.processes, workload=workload, runs=runs)
