import pytest

from api.cli.audit.summary_view import draw_sparkline, resample


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([], ""),
        ([0, 0], "  "),
        ([0, 1, 2, 4, 8], " ▁▂▄█"),
        ([1, 2, 3, 4, 5, 6, 7, 8], "▁▂▃▄▅▆▇█"),
        ([1, 2, 3], "▃▆█"),
        ([1, 1_000_000], "▁█"),
        ([5, 5], "██"),
    ],
)
def test_each_value_has_its_height_and_only_none_at_all_is_blank(values, line):
    assert draw_sparkline(values) == line


def test_neighbours_share_a_place_where_there_is_not_room_for_all():
    assert resample([1, 2, 3, 4, 5], 2, add=True) == [3, 12]
    assert resample([1, 2, 3, 4, 5], 2, add=False) == [2, 5]
    assert resample([1, 2], 2, add=True) == [1, 2]


def test_nothing_is_lost_however_narrow():
    values = list(range(1000))
    for width in (1, 7, 999):
        drawn = resample(values, width, add=True)
        assert (len(drawn), sum(drawn)) == (width, sum(values))
