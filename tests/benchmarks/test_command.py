"""Benchmark commands: errors, temporary folders and the short form."""

import argparse

import pytest

from benchmarks.command import benchmark, parse_options, temporary_folder
from benchmarks.errors import ContenderUnavailable, MeasurementError


@pytest.mark.parametrize("error", [MeasurementError, ContenderUnavailable, ValueError])
def test_command_prints_the_reason_only_when_it_cannot_measure(error, capsys):
    @benchmark
    def main(_arguments):
        raise error("wrk is not installed")  # noqa: EM101, TRY003

    if error is ValueError:
        with pytest.raises(ValueError, match="wrk"):
            main()
    else:
        assert main() == 1
        assert capsys.readouterr().err == "No measurement: wrk is not installed\n"


def test_command_returns_the_result_of_main():
    assert [benchmark(len)(["--check"]), benchmark(len)([])] == [1, 0]


def test_temporary_folder_is_removed(tmp_path):
    with temporary_folder(tmp_path) as folder:
        assert folder.parent == tmp_path
        (folder / "postgres").mkdir()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [([], (1000, 30)), (["--short"], (10, 1)), (["--short", "--seconds", "7"], (10, 7)), (["--tokens", "5"], (5, 30))],
)
def test_short_form_changes_defaults_but_not_given_options(arguments, expected):
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokens", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=30)

    options = parse_options(parser, arguments, short={"tokens": 10, "seconds": 1})

    assert (options.tokens, options.seconds) == expected
