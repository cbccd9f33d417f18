"""Commands of the benchmarks: no measurement is a sentence and a 1, a short form has other defaults."""

import argparse

import pytest

from benchmarks.cannot_measure import CannotMeasure
from benchmarks.command import benchmark, options_of, passing_folder
from benchmarks.contenders.contender import CannotHave


@pytest.mark.parametrize("reason", [CannotMeasure("wrk is not installed"), CannotHave("wrk is not installed")])
def test_why_there_is_no_measurement_is_said(reason, capsys):
    @benchmark
    def main(_arguments):
        raise reason

    assert main() == 1
    assert capsys.readouterr().err == "No measurement: wrk is not installed\n"


def test_what_is_a_mistake_in_the_benchmark_is_not_hidden():
    @benchmark
    def main(_arguments):
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 (it has no message)
        main([])


def test_what_the_command_answers_is_answered():
    assert benchmark(len)(["--check"]) == 1
    assert benchmark(len)([]) == 0


def test_the_folder_is_gone_afterwards(tmp_path):
    with passing_folder(tmp_path) as folder:
        assert folder.parent == tmp_path
        (folder / "postgres").mkdir()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [([], (1000, 30)), (["--short"], (10, 1)), (["--short", "--seconds", "7"], (10, 7)), (["--tokens", "5"], (5, 30))],
)
def test_the_short_form_has_other_defaults_and_what_is_asked_for_holds(arguments, expected):
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokens", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=30)

    options = options_of(parser, arguments, short={"tokens": 10, "seconds": 1})

    assert (options.tokens, options.seconds) == expected
