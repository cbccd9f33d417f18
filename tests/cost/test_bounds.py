"""A bound rejects a cost that grew, and one so low that the bound no longer protects it."""

import pytest

from tests.cost.bounds import Bound

BOUND = Bound("queries of a request", 10, "one for each of ten", below=0.2, above=0.1)


@pytest.mark.parametrize("measured", [8, 10, 11])
def test_bound_accepts_a_cost_within_its_tolerance(measured):
    assert BOUND.problem(measured) is None


def test_bound_names_the_increase_and_its_reason_when_a_cost_grew():
    assert BOUND.problem(12) == (
        "queries of a request: 12, which is 2 more than 10 (one for each of ten). "
        "Find what grew. If it must grow, raise the bound and say why."
    )


def test_bound_asks_to_be_lowered_when_a_cost_shrank():
    assert BOUND.problem(7) == "queries of a request: 7 instead of 10. Lower the bound, so that it stays lower."
