"""Ratios: of medians, of one run, and of the peer that comes nearest."""

import pytest

from benchmarks.contenders.catalogue import OURS
from benchmarks.report.results import EMPTY_HANDLER, ISSUE, MIX
from benchmarks.report.targets import RESTARTED, TARGETS, Evidence, two_workers
from tests.benchmarks.results import OWN, PEERS, results, series

BY_NAME = {target.name: target for target in TARGETS}


def ratio(name: str, ours=OWN, peers=PEERS) -> float | None:
    return BY_NAME[name].ratio(Evidence(ours, peers))


def test_the_empty_handler_is_compared_by_medians():
    assert ratio("introspect-empty-handler") == pytest.approx(0.85)
    assert ratio("issue-empty-handler") == pytest.approx(0.40)


def test_of_peers_the_nearest_counts_by_the_run_in_which_it_was_measured():
    assert ratio("introspect-peers") == pytest.approx(2.0)
    assert ratio("issue-peers") == pytest.approx(4.0)


def test_of_latencies_the_quickest_peer_counts():
    assert ratio("introspect-p99-peers") == pytest.approx(1.2)
    assert not BY_NAME["introspect-p99-peers"].reached(1.2)
    assert not BY_NAME["introspect-p99-peers"].reached(1.0)


def test_two_workers_are_accounted_by_processor_time_where_cores_are_shared():
    assert ratio("introspect-two-workers") == pytest.approx(2 * 70 / 80)


def test_two_workers_are_compared_by_rates_where_there_are_cores_for_all():
    found = [series(RESTARTED, MIX, rate, processes=processes) for processes, rate in ((1, 8_000), (2, 12_000))]

    assert two_workers(results(*found, cores=4), MIX) == pytest.approx(1.5)


@pytest.mark.parametrize("name", BY_NAME)
def test_what_was_not_measured_has_no_ratio(name):
    assert ratio(name, results(), {}) is None


def test_a_target_that_is_met_exactly_is_reached():
    exactly = results(series(EMPTY_HANDLER, ISSUE, 10_000), series(OURS, ISSUE, 5_500))
    target = BY_NAME["issue-empty-handler"]

    assert target.reached(target.ratio(Evidence(exactly, {})))
    assert not target.reached(0.549)
