"""Results like those of a benchmark run, with round numbers."""

from benchmarks.contenders.catalogue import OURS
from benchmarks.report.results import (
    EMPTY_HANDLER,
    ISSUE,
    MIX,
    Latencies,
    Machine,
    Method,
    PacedRun,
    Rebuild,
    Results,
    Run,
    Series,
    Statements,
)
from benchmarks.report.targets import RESTARTED


def run(rate: float, *, server_us: float = 100.0) -> Run:
    return Run(
        requests=int(rate * 2),
        seconds=2.0,
        p50_ms=4.0,
        p99_ms=9.0,
        server_cpu=rate * 2 * server_us / 1e6,
        database_cpu=rate * 2 * 20 / 1e6,
        load_cpu=rate * 2 * 10 / 1e6,
    )


def series(contender: str, workload: str, *rates: float, processes: int = 1, server_us: float = 100.0) -> Series:
    runs = [run(rate, server_us=server_us) for rate in rates]
    return Series(contender=contender, processes=processes, workload=workload, runs=runs)


def latency(contender: str, *p99: float) -> Latencies:
    runs = [
        PacedRun(
            requests=100,
            percentiles={"50": 1.0, "90": 2.0, "99": value, "99.9": 2 * value},
            worst_ms=3 * value,
            late_p99_ms=value / 10,
            load_us=5 * value,
        )
        for value in p99
    ]
    return Latencies(contender=contender, workload=MIX, rate=4000, runs=runs)


def results(*found: Series, latencies: tuple[Latencies, ...] = (), cores: int = 2, **others: object) -> Results:
    return Results(
        taken_at="2026-01-31 12:00 UTC",
        commit="0123456789ab",
        machine=Machine(processor="A processor", cores=cores, memory_gib=8, system="Linux 6, x86_64", load_average=0.1),
        method=Method(
            connections=64,
            seconds=3,
            repetitions=5,
            paced_seconds=8,
            paced_repetitions=3,
            tokens=1_000_000,
            rebuilds=2,
        ),
        versions={OURS: {"aiohttp": "3.14"}, "hydra": {"hydra": "2.3"}},
        notes={OURS: "How ours runs.", "hydra": "How hydra runs."},
        series=list(found),
        latencies=list(latencies),
        **others,
    )


OWN = results(
    series(EMPTY_HANDLER, MIX, 10_000, 10_100, 9_900, server_us=40),
    series(OURS, MIX, 8_500, 8_400, 9_000, server_us=70),
    series(EMPTY_HANDLER, ISSUE, 10_000),
    series(OURS, ISSUE, 4_000, server_us=150),
    series(RESTARTED, MIX, 8_000, server_us=70),
    series(RESTARTED, MIX, 9_000, processes=2, server_us=80),
    latencies=(latency(EMPTY_HANDLER, 3.0), latency(OURS, 5.0, 50.0, 6.0)),
    statements=[
        Statements(name="look-up, one per query", what="`find`", operations=1, transactions=[17_000.0]),
        Statements(name="issuance, 16 per transaction", what="all of it", operations=16, transactions=[500.0]),
    ],
    rebuilds=[Rebuild(projection="active_tokens", events=1_000_000, rebuilt=[10.0], verified=[8.0])],
)

PEERS = {
    "hydra": results(
        series("hydra", MIX, 2_000, server_us=400),
        series(OURS, MIX, 8_000),
        series("hydra", ISSUE, 1_000),
        series(OURS, ISSUE, 4_000),
        latencies=(latency("hydra", 12.0), latency(OURS, 6.0)),
    ),
    "node-oidc-provider": results(
        series("node-oidc-provider", MIX, 4_000),
        series(OURS, MIX, 8_000),
        latencies=(latency("node-oidc-provider", 5.0), latency(OURS, 6.0)),
    ),
    "keycloak": results(absent={"keycloak": "it exited:\nno space\nleft"}),
}
