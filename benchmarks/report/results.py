"""What one run of the benchmarks found: the numbers as they were taken, kept as JSON. All else follows from them."""

from collections.abc import Iterable
from pathlib import Path
from statistics import median

import msgspec
from msgspec import Struct

EMPTY_HANDLER = "empty handler"

ISSUE, LIVE, REVOKED, UNKNOWN = (
    "issue",
    "introspect a live token",
    "introspect a revoked token",
    "introspect unknown ones",
)
MIX, REVOKE, MIXED = "introspect a mix", "revoke", "mixed"
AUDIT_HISTORY, AUDIT_PAGE = "audit: history of a token", "audit: page of 100, filtered, as of a time"


class Run(Struct, frozen=True, kw_only=True):
    """One measurement of a closed loop. Processor time is in seconds, for all requests together."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    server_cpu: float
    database_cpu: float
    load_cpu: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def server_us(self) -> float:
        """Processor time of the server's processes for a request, in µs. What else is running hardly changes it."""
        return self.server_cpu / self.requests * 1e6

    @property
    def database_us(self) -> float:
        """The same of PostgreSQL."""
        return self.database_cpu / self.requests * 1e6

    @property
    def load_us(self) -> float:
        """The same of the load generator."""
        return self.load_cpu / self.requests * 1e6


class Series(Struct, frozen=True, kw_only=True):
    """One workload of one contender, in the order in which it was measured."""

    contender: str
    processes: int
    workload: str
    runs: list[Run]

    @property
    def rate(self) -> float:
        """The median."""
        return median(run.rate for run in self.runs)

    @property
    def server_us(self) -> float:
        """The median."""
        return median(run.server_us for run in self.runs)


class PacedRun(Struct, frozen=True, kw_only=True):
    """One measurement at a constant rate: latencies in ms from when requests were due, by percentile."""

    requests: int
    percentiles: dict[str, float]
    worst_ms: float
    late_p99_ms: float | None = None
    """By how much the sender itself missed when requests were due."""

    load_us: float | None = None
    """Processor time of the sender for a request."""


class Latencies(Struct, frozen=True, kw_only=True):
    """One workload of one contender at `rate` requests a second."""

    contender: str
    workload: str
    rate: int
    runs: list[PacedRun]

    def percentile(self, share: str) -> float:
        """The median over the runs, in ms."""
        return median(run.percentiles[share] for run in self.runs)

    @property
    def late_p99_ms(self) -> float | None:
        """The median, of runs that know it."""
        return _median(run.late_p99_ms for run in self.runs)

    @property
    def load_us(self) -> float | None:
        """The same of the sender's processor time."""
        return _median(run.load_us for run in self.runs)


class Statements(Struct, frozen=True, kw_only=True):
    """What pgbench did: transactions a second of each run, each of so many look-ups or events."""

    name: str
    what: str
    operations: int
    transactions: list[float]

    @property
    def rate(self) -> float:
        """Look-ups or events a second, the median."""
        return median(self.transactions) * self.operations


class Rebuild(Struct, frozen=True, kw_only=True):
    """A projection rebuilt and verified from a log of so many events, in seconds of each run."""

    projection: str
    events: int
    rebuilt: list[float]
    verified: list[float]


class Machine(Struct, frozen=True, kw_only=True):
    """Where it was measured."""

    processor: str
    cores: int
    memory_gib: int
    system: str
    load_average: float
    """Before the first measurement: what the machine did besides."""


class Method(Struct, frozen=True, kw_only=True):
    """How it was measured."""

    connections: int
    seconds: int
    repetitions: int
    paced_seconds: int
    paced_repetitions: int
    tokens: int
    """In the tables when requests began; of peers, as many as could be issued over HTTP in a moment."""

    rebuilds: int


class Results(Struct, frozen=True, kw_only=True):
    """One run of the benchmarks: of ours with the ceilings, or of ours with one peer."""

    taken_at: str
    commit: str
    machine: Machine
    method: Method
    versions: dict[str, dict[str, str]]
    notes: dict[str, str]
    series: list[Series]
    latencies: list[Latencies]
    statements: list[Statements] = []
    rebuilds: list[Rebuild] = []
    absent: dict[str, str] = {}
    """What could not be measured, and why."""

    def find(self, contender: str, workload: str, *, processes: int = 1) -> Series | None:
        """A workload of a contender, where it was measured."""
        wanted = (contender, workload, processes)
        return next((s for s in self.series if (s.contender, s.workload, s.processes) == wanted), None)

    def latency(self, contender: str, workload: str) -> Latencies | None:
        """The same at half of the maximum rate, which is measured before other rates are."""
        return next((x for x in self.latencies if (x.contender, x.workload) == (contender, workload)), None)


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def write_results(results: Results, file: Path) -> None:
    """As JSON that a person can read and compare."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def read_results(file: Path) -> Results:
    """Raises msgspec.ValidationError when it is not what this release writes."""
    return msgspec.json.decode(file.read_bytes(), type=Results)
