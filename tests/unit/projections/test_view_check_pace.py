"""How fast the views are compared with the log."""

import pytest

from projections.view_check import MAX_REST_SECONDS, PAGE_ROWS, rest_seconds


@pytest.mark.parametrize("rows", [1_000_000, 30_000_000])
@pytest.mark.parametrize("period", [3_600.0, 86_400.0])
def test_round_takes_the_period_when_there_are_many_rows(rows, period):
    pages = rows / PAGE_ROWS
    assert pages * rest_seconds(rows=rows, period=period) == pytest.approx(min(period, pages * MAX_REST_SECONDS))


@pytest.mark.parametrize("rows", [0, 1, PAGE_ROWS])
def test_rest_is_at_most_a_minute_when_there_are_few_rows(rows):
    assert rest_seconds(rows=rows, period=50.0) == 50.0
    assert rest_seconds(rows=rows, period=86_400.0) == MAX_REST_SECONDS
