"""What was aimed at, and whether it was reached. Every target is a ratio of two numbers of one run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.contenders.catalogue import OURS
from benchmarks.report.results import EMPTY_HANDLER, ISSUE, MIX, Results, Series

RESTARTED = f"{OURS}, restarted"
"""Our service where one process and two were compared."""

CORES_FOR_ALL = 4
"""From so many on two workers, PostgreSQL and the load generator have a core each, and the rates are compared."""

Peers = Mapping[str, Results]


@dataclass(frozen=True)
class Evidence:
    """All that was found: the run of ours, those of peers, and the ratio that growth_ratio gives."""

    ours: Results
    peers: Peers
    growth: float | None = None


@dataclass(frozen=True)
class Target:
    """A ratio that is to be `bound` or more, or less than it where `below`. `ratio` is None when not measured."""

    name: str
    what: str
    bound: float
    ratio: Callable[[Evidence], float | None]
    below: bool = False

    def reached(self, ratio: float) -> bool:
        return ratio < self.bound if self.below else ratio >= self.bound


def to_empty_handler(results: Results, workload: str) -> float | None:
    """Our rate over the empty handler's."""
    return _rate_ratio(results.find(OURS, workload), results.find(EMPTY_HANDLER, workload))


def to_peer(name: str, results: Results, workload: str) -> float | None:
    """Our rate over a peer's, in the run of that peer."""
    processes = next((series.processes for series in results.series), 1)
    ours = results.find(OURS, workload, processes=processes)
    return _rate_ratio(ours, results.find(name, workload, processes=processes))


def to_best_peer(peers: Peers, workload: str) -> float | None:
    """Our rate over that of the peer that comes nearest."""
    ratios = [to_peer(name, results, workload) for name, results in peers.items()]
    return min((ratio for ratio in ratios if ratio is not None), default=None)


def p99_to_peer(name: str, results: Results, workload: str) -> float | None:
    """Our p99 over a peer's, each at half of its own maximum rate."""
    ours, theirs = results.latency(OURS, workload), results.latency(name, workload)
    return ours.percentile("99") / theirs.percentile("99") if ours and theirs else None


def p99_to_quickest_peer(peers: Peers, workload: str) -> float | None:
    """Our p99 over that of the peer that comes nearest."""
    ratios = [p99_to_peer(name, results, workload) for name, results in peers.items()]
    return max((ratio for ratio in ratios if ratio is not None), default=None)


def two_workers(results: Results, workload: str) -> float | None:
    """Two workers over one: of the rates where there are cores for all, else of what the processor time allows."""
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
        "p99 of introspection at half of the maximum rate, to the quickest peer's",
        1.0,
        lambda found: p99_to_quickest_peer(found.peers, MIX),
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
"""Growth has a benchmark of its own, which writes its ratio beside these results: `make bench-growth`."""


def _rate_ratio(over: Series | None, under: Series | None) -> float | None:
    return over.rate / under.rate if over and under else None
