import pytest

from api.cli.audit.output import write_csv_row
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
def test_sparkline_scales_values_and_only_zero_is_blank(values, line):
    assert draw_sparkline(values) == line


def test_resample_groups_neighbours_when_the_width_is_smaller():
    assert resample([1, 2, 3, 4, 5], 2, add=True) == [3, 12]
    assert resample([1, 2, 3, 4, 5], 2, add=False) == [2, 5]
    assert resample([1, 2], 2, add=True) == [1, 2]


def test_resample_keeps_the_sum_at_any_width():
    values = list(range(1000))
    for width in (1, 7, 999):
        drawn = resample(values, width, add=True)
        assert (len(drawn), sum(drawn)) == (width, sum(values))


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        (None, ""),
        (17, "17"),
        ('say "no", then', '"say ""no"", then"'),
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
    ],
)
def test_csv_cell_is_neither_a_formula_nor_a_control_sequence(capsys, cell, written):
    write_csv_row(("first", cell))
    assert capsys.readouterr().out == f"first,{written}\n"
