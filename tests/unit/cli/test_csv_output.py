import pytest

from api.cli.audit.output import write_csv_row


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
def test_a_cell_is_neither_a_formula_nor_a_control_sequence(capsys, cell, written):
    write_csv_row(("first", cell))
    assert capsys.readouterr().out == f"first,{written}\n"
