"""The ratios of targets."""

import pytest

from benchmarks.contenders.catalogue import OURS
from benchmarks.report.results import EMPTY_HANDLER, ISSUE, MIX
from benchmarks.report.targets import RESTARTED, TARGETS, Evidence, two_workers
from tests.benchmarks.sample_results import OWN, PEERS, results, series

BY_NAME = {target.name: target for target in TARGETS}


def ratio(name: str, ours=OWN, peers=PEERS) -> float | None:
    return BY_NAME[name].ratio(Evidence(ours, peers))


def test_ratio_to_the_empty_handler_is_of_medians():
    assert ratio("introspect-empty-handler") == pytest.approx(0.85)
    assert ratio("issue-empty-handler") == pytest.approx(0.40)


def test_best_peer_counts_in_its_own_run():
    assert ratio("introspect-peers") == pytest.approx(2.0)
    assert ratio("issue-peers") == pytest.approx(4.0)


def test_peer_with_the_lowest_latency_counts():
    assert ratio("introspect-p99-peers") == pytest.approx(1.2)
    assert not BY_NAME["introspect-p99-peers"].reached(1.2)
    assert not BY_NAME["introspect-p99-peers"].reached(1.0)


def test_two_workers_are_compared_by_cpu_time_when_cores_are_shared():
    assert ratio("introspect-two-workers") == pytest.approx(2 * 70 / 80)


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
