"""The targets, and whether they were reached. Every target is a ratio of two numbers of one run."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.contenders.catalogue import OURS
from benchmarks.report.results import EMPTY_HANDLER, ISSUE, MIX, Results, Series

RESTARTED = f"{OURS}, restarted"
"""The service in the comparison of one process and two."""

CORES_FOR_ALL = 4
"""With so many cores, two workers, PostgreSQL and the load generator each have a core, and rates are comparable."""

Peers = Mapping[str, Results]


@dataclass(frozen=True)
class Evidence:
    """The results of the service and of peers, and the ratio of `read_growth_ratio`."""

    ours: Results
    peers: Peers
    growth: float | None = None


@dataclass(frozen=True)
class Target:
    """A ratio that must be at least `bound`, or less than `bound` if `below`. `ratio` is None when not measured."""

    name: str
    what: str
    bound: float
    ratio: Callable[[Evidence], float | None]
    below: bool = False

    def reached(self, ratio: float) -> bool:
        return ratio < self.bound if self.below else ratio >= self.bound


def to_empty_handler(results: Results, workload: str) -> float | None:
    return _rate_ratio(results.find(OURS, workload), results.find(EMPTY_HANDLER, workload))


def to_peer(name: str, results: Results, workload: str) -> float | None:
    """The service's rate over a peer's, in the run of that peer."""
    processes = next((series.processes for series in results.series), 1)
    ours = results.find(OURS, workload, processes=processes)
    return _rate_ratio(ours, results.find(name, workload, processes=processes))


def to_best_peer(peers: Peers, workload: str) -> float | None:
    """The service's rate over the rate of the fastest peer."""
    ratios = [to_peer(name, results, workload) for name, results in peers.items()]
    return min((ratio for ratio in ratios if ratio is not None), default=None)


def p99_to_peer(name: str, results: Results, workload: str) -> float | None:
    """The service's p99 over a peer's, each at half of its own maximum rate."""
    ours, theirs = results.latency(OURS, workload), results.latency(name, workload)
    return ours.percentile("99") / theirs.percentile("99") if ours and theirs else None


def p99_to_best_peer(peers: Peers, workload: str) -> float | None:
    """The service's p99 over the p99 of the peer with the lowest latency."""
    ratios = [p99_to_peer(name, results, workload) for name, results in peers.items()]
    return max((ratio for ratio in ratios if ratio is not None), default=None)


def two_workers(results: Results, workload: str) -> float | None:
    """Two workers over one: the ratio of rates with enough cores, else of the rates that the CPU time allows."""
    one, two = (results.find(RESTARTED, workload, processes=processes) for processes in (1, 2))
    if results.machine.cores >= CORES_FOR_ALL:
        return _rate_ratio(two, one)
    return 2 * one.server_us / two.server_us if one and two else None


TARGETS = (
    Target(
        "introspect-empty-handler",
        "introspection, one process, to the empty handler",
        0.8,
        lambda found: to_empty_handler(found.ours, MIX),
    ),
    Target(
        "issue-empty-handler",
        "issuance, one process, to the empty handler",
        0.55,
        lambda found: to_empty_handler(found.ours, ISSUE),
    ),
    Target("introspect-peers", "introspection, to the best peer", 1.5, lambda found: to_best_peer(found.peers, MIX)),
    Target("issue-peers", "issuance, to the best peer", 1.5, lambda found: to_best_peer(found.peers, ISSUE)),
    Target(
        "introspect-p99-peers",
        "p99 of introspection at half of the maximum rate, to the best peer",
        1.0,
        lambda found: p99_to_best_peer(found.peers, MIX),
        below=True,
    ),
    Target(
        "introspect-growth", "introspection with 10 million tokens, to 10 thousand", 0.9, lambda found: found.growth
    ),
    Target(
        "introspect-two-workers",
        "introspection, two workers to one, accounted",
        1.7,
        lambda found: two_workers(found.ours, MIX),
    ),
    Target(
        "issue-two-workers",
        "issuance, two workers to one, accounted",
        1.7,
        lambda found: two_workers(found.ours, ISSUE),
    ),
)
"""`make bench-growth` measures the ratio of growth."""


FEW_TOKENS, MANY_TOKENS = 10_000, 10_000_000


def read_growth_ratio(file: Path) -> float | None:
    """Return the introspection rate at 10 million tokens over that at 10 thousand; None when not measured."""
    if not file.exists():
        return None
    sizes = {size["tokens"]: size for size in json.loads(file.read_bytes())["sizes"]}
    if not {FEW_TOKENS, MANY_TOKENS} <= sizes.keys():
        return None
    many, few = (
        median(run["requests"] / run["seconds"] for run in sizes[tokens]["workloads"]["introspect any"])
        for tokens in (MANY_TOKENS, FEW_TOKENS)
    )
    return float(many / few)


def _rate_ratio(over: Series | None, under: Series | None) -> float | None:
    return over.rate / under.rate if over and under else None
