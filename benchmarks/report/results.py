"""The results of one run of the benchmarks, stored as JSON. The report is derived from them."""

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
    """One run of a closed loop. CPU time is in seconds, for all requests together."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    server_cpu: float
    database_cpu: float
    load_cpu: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds

    @property
    def server_us(self) -> float:
        """CPU time of the server's processes per request in µs. Other load on the machine hardly changes it."""
        return self.server_cpu / self.requests * 1e6

    @property
    def database_us(self) -> float:
        """CPU time of PostgreSQL per request in µs."""
        return self.database_cpu / self.requests * 1e6

    @property
    def load_us(self) -> float:
        """CPU time of the load generator per request in µs."""
        return self.load_cpu / self.requests * 1e6


class Series(Struct, frozen=True, kw_only=True):
    """The runs of one workload of one contender."""

    contender: str
    processes: int
    workload: str
    runs: list[Run]

    @property
    def rate(self) -> float:
        return median(run.rate for run in self.runs)

    @property
    def server_us(self) -> float:
        return median(run.server_us for run in self.runs)


class PacedRun(Struct, frozen=True, kw_only=True):
    """One run at a constant rate: latencies in ms after the due time, by percentile."""

    requests: int
    percentiles: dict[str, float]
    worst_ms: float
    late_p99_ms: float | None = None
    """How late the sender itself was."""

    load_us: float | None = None
    """CPU time of the sender per request in µs."""


class Latencies(Struct, frozen=True, kw_only=True):
    """The runs of one workload of one contender at `rate` requests per second."""

    contender: str
    workload: str
    rate: int
    runs: list[PacedRun]

    def percentile(self, share: str) -> float:
        """The median of the runs, in ms."""
        return median(run.percentiles[share] for run in self.runs)

    @property
    def late_p99_ms(self) -> float | None:
        return _median(run.late_p99_ms for run in self.runs)

    @property
    def load_us(self) -> float | None:
        return _median(run.load_us for run in self.runs)


class Statements(Struct, frozen=True, kw_only=True):
    """Transactions per second of each run of pgbench. A transaction has `operations` look-ups or events."""

    name: str
    what: str
    operations: int
    transactions: list[float]

    @property
    def rate(self) -> float:
        """Median look-ups or events per second."""
        return median(self.transactions) * self.operations


class Rebuild(Struct, frozen=True, kw_only=True):
    """The seconds of each rebuild and verification of a projection."""

    projection: str
    events: int
    rebuilt: list[float]
    verified: list[float]


class Machine(Struct, frozen=True, kw_only=True):
    processor: str
    cores: int
    memory_gib: int
    system: str
    load_average: float
    """Before the first measurement."""


class Method(Struct, frozen=True, kw_only=True):
    connections: int
    seconds: int
    repetitions: int
    paced_seconds: int
    paced_repetitions: int
    tokens: int
    """Tokens in the tables when requests began; for peers, as many as were issued over HTTP during the warm-up."""

    rebuilds: int


class Results(Struct, frozen=True, kw_only=True):
    """One run of the benchmarks: of the service with the ceilings, or with one peer."""

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
    """Why something could not be measured, by its name."""

    def find(self, contender: str, workload: str, *, processes: int = 1) -> Series | None:
        wanted = (contender, workload, processes)
        return next((s for s in self.series if (s.contender, s.workload, s.processes) == wanted), None)

    def latency(self, contender: str, workload: str) -> Latencies | None:
        """Return the latencies at half of the maximum rate, which are measured before those at other rates."""
        return next((x for x in self.latencies if (x.contender, x.workload) == (contender, workload)), None)


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def write_results(results: Results, file: Path) -> None:
    """Write indented JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def read_results(file: Path) -> Results:
    """Raises msgspec.ValidationError for another format."""
    return msgspec.json.decode(file.read_bytes(), type=Results)
