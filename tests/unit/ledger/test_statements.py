"""SQL files as named statements."""

import re
import sys
from importlib.resources import files

import pytest

from ledger.postgres.statements import load_statements


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An importable package that holds one .sql file; returns what writes it."""
    folder = tmp_path / "some_statements"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "some_statements", raising=False)

    def write(text: str) -> str:
        (folder / "some.sql").write_text(text, encoding="utf-8")
        return "some_statements"

    return write


def test_each_statement_is_found_by_its_name(package):
    name = package("-- name: one\nSELECT 1;\n\n-- name: two\n-- What it is for.\nSELECT 2;\n")

    assert load_statements(name, "some.sql") == {"one": "SELECT 1;", "two": "-- What it is for.\nSELECT 2;"}


def test_a_file_without_statements_has_none(package):
    assert load_statements(package("-- only a comment\n"), "some.sql") == {}


def test_a_name_within_a_line_is_no_beginning(package):
    name = package("-- name: one\nSELECT '-- name: two';\n  -- name: three\n")

    assert list(load_statements(name, "some.sql")) == ["one"]


def test_two_statements_of_one_name_are_refused(package):
    name = package("-- name: one\nSELECT 1;\n-- name: one\nSELECT 2;\n")

    with pytest.raises(ValueError, match=r"some\.sql: two statements are named one"):
        load_statements(name, "some.sql")


PARTS = {"append_at_once", "insert_in_append", "delete_in_append"}
"""Beginnings of a statement, which others are put after."""


@pytest.mark.parametrize(
    ("package_name", "filename"),
    [("ledger.postgres", "event_log.sql"), ("projections", "active_tokens.sql"), ("projections", "clients.sql")],
)
def test_every_statement_of_the_service_has_text_and_no_gap_in_its_parameters(package_name, filename):
    assert files(package_name).joinpath(filename).is_file()
    for name, statement in load_statements(package_name, filename).items():
        parameters = {int(n) for n in re.findall(r"\$(\d+)", statement)}
        assert statement.rstrip().endswith(";") is (name not in PARTS), name
        assert parameters == set(range(1, len(parameters) + 1)), name
