import io
import os
import re
import sys
from datetime import UTC, datetime

import pytest

from api.cli.output import format_instant, print_fields, print_result, print_table, print_warning

HOSTILE = "a\x1b[2J\x07\r\u202eb"
SHOWN = r"a\x1b[2J\x07\x0d\x202eb"


def test_output_escapes_control_characters(capsys):
    print_result(HOSTILE)
    print_fields({"name": HOSTILE})
    print_table(("NAME",), [(HOSTILE,)])
    print_warning(HOSTILE)
    shown = capsys.readouterr()
    assert shown.out.splitlines()[:2] == [SHOWN, f"name  {SHOWN}"]
    assert SHOWN in shown.out.splitlines()[3]
    assert shown.err == f"warning: {SHOWN}\n"


def test_warning_labels_every_line(capsys):
    print_warning("one\ntwo", label="error")
    assert capsys.readouterr().err == "error: one\nerror: two\n"


def test_table_is_not_wrapped_when_piped(capsys):
    print_table(("A", "B"), [("x" * 100, "y" * 100)])
    assert "x" * 100 + "  " + "y" * 100 in capsys.readouterr().out


def test_instant_is_formatted_in_utc_to_the_second():
    assert format_instant(datetime(2026, 3, 1, 12, 0, 0, 999999, tzinfo=UTC)) == "2026-03-01 12:00:00 UTC"
    assert format_instant(None) == "-"


def test_table_raises_broken_pipe_when_the_reader_is_gone(monkeypatch):
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w", encoding="utf-8") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        with pytest.raises(BrokenPipeError):  # CommandGroup turns it into exit code 0
            print_table(("NAME",), [("a",)])
        monkeypatch.undo()
        with pytest.raises(BrokenPipeError):
            closed.close()


@pytest.fixture
def terminal(monkeypatch):
    """Replace standard output with a terminal of this width, and return it."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def of(columns: int) -> Terminal:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(sys, "stdout", written := Terminal())
        return written

    return of


ROWS = [("0" * 36, "active", "words " * 20 + HOSTILE)]


def test_table_wraps_only_columns_that_may_be_wrapped(terminal):
    written = terminal(100)
    print_table(("JTI", "STATE", "TEXT"), ROWS, unbroken=("JTI", "STATE"))
    lines = re.sub(r"\x1b\[\d*m", "", written.getvalue()).splitlines()
    assert lines[0].split() == ["JTI", "STATE", "TEXT"]
    assert lines[1].split()[:2] == ["0" * 36, "active"]
    assert len(lines) > 3


def test_row_is_printed_as_indented_lines_on_a_narrow_terminal(terminal):
    written = terminal(60)
    print_table(("JTI", "STATE", "TEXT"), ROWS, unbroken=("JTI", "STATE"))
    first, *rest = written.getvalue().splitlines()
    assert first == "0" * 36 + "  active"
    assert rest[0].startswith("    text: words words")
    assert max(map(len, rest)) <= 60
    assert SHOWN in "".join(rest)
