"""The ratios of targets."""

import pytest

from benchmarks.contenders.catalogue import OURS
from benchmarks.report.results import EMPTY_HANDLER, ISSUE, MIX
from benchmarks.report.targets import RESTARTED, TARGETS, Evidence, two_workers
from tests.benchmarks.sample_results import OWN, PEERS, results, series

BY_NAME = {target.name: target for target in TARGETS}


def ratio(name: str, ours=OWN, peers=PEERS) -> float | None:
    return BY_NAME[name].ratio(Evidence(ours, peers))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("introspect-empty-handler", 0.85),  # of medians
        ("issue-empty-handler", 0.40),
        ("introspect-peers", 2.0),  # the best peer, in its own run
        ("issue-peers", 4.0),
        ("introspect-p99-peers", 1.2),  # the peer with the lowest latency
        ("introspect-two-workers", 2 * 70 / 80),  # by CPU time, because the cores are shared
    ],
)
def test_ratio_of_each_target(name, expected):
    assert ratio(name) == pytest.approx(expected)


@pytest.mark.parametrize("found", [1.2, 1.0])
def test_latency_target_is_missed_when_not_below_one(found):
    assert not BY_NAME["introspect-p99-peers"].reached(found)


def test_two_workers_are_compared_by_rates_when_there_are_enough_cores():
    found = [series(RESTARTED, MIX, rate, processes=processes) for processes, rate in ((1, 8_000), (2, 12_000))]

    assert two_workers(results(*found, cores=4), MIX) == pytest.approx(1.5)


@pytest.mark.parametrize("name", BY_NAME)
def test_ratio_is_none_when_not_measured(name):
    assert ratio(name, results(), {}) is None


def test_target_is_reached_when_met_exactly():
    exactly = results(series(EMPTY_HANDLER, ISSUE, 10_000), series(OURS, ISSUE, 5_500))
    target = BY_NAME["issue-empty-handler"]

    assert target.reached(target.ratio(Evidence(exactly, {})))
    assert not target.reached(0.549)
