from datetime import UTC, datetime

from api.cli.output import as_fields, as_table, instant, say, warn

HOSTILE = "a\x1b[2J\x07\r\u202eb"
SHOWN = r"a\x1b[2J\x07\x0d\x202eb"


def test_what_is_recorded_cannot_steer_the_terminal(capsys):
    say(HOSTILE)
    as_fields({"name": HOSTILE})
    as_table(("NAME",), [(HOSTILE,)])
    warn(HOSTILE)
    shown = capsys.readouterr()
    assert shown.out.splitlines()[:2] == [SHOWN, f"name  {SHOWN}"]
    assert SHOWN in shown.out.splitlines()[3]
    assert shown.err == f"warning: {SHOWN}\n"


def test_every_line_of_a_message_is_labelled(capsys):
    warn("one\ntwo", label="error")
    assert capsys.readouterr().err == "error: one\nerror: two\n"


def test_a_table_that_is_piped_is_not_squeezed_into_a_terminal(capsys):
    as_table(("A", "B"), [("x" * 100, "y" * 100)])
    assert "x" * 100 + "  " + "y" * 100 in capsys.readouterr().out


def test_instants_are_shown_in_utc_to_the_second():
    assert instant(datetime(2026, 3, 1, 12, 0, 0, 999999, tzinfo=UTC)) == "2026-03-01 12:00:00 UTC"
    assert instant(None) == "-"
