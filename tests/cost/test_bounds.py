"""A bound fails a cost that grew, and one that shrank so far that the bound holds nothing any more."""

import pytest

from tests.cost.bounds import Bound

BOUND = Bound("queries of a request", 10, "one for each of ten", below=0.2, above=0.1)


@pytest.mark.parametrize("measured", [8, 10, 11])
def test_what_is_near_holds(measured):
    assert BOUND.problem(measured) is None


def test_what_grew_is_named_with_by_how_much_and_what_it_was_for():
    assert BOUND.problem(12) == (
        "queries of a request: 12, 2 more than the 10 that are accounted for: one for each of ten. "
        "Find what grew; if it has to be, raise the bound and say why."
    )


def test_what_shrank_has_its_bound_lowered():
    assert (
        BOUND.problem(7) == "queries of a request: 7 instead of 10. Good: lower the bound to it, so that it stays so."
    )
