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


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        (
            "-- name: one\nSELECT 1;\n\n-- name: two\n-- What it is for.\nSELECT 2;\n",
            {"one": "SELECT 1;", "two": "-- What it is for.\nSELECT 2;"},
        ),
        ("-- only a comment\n", {}),
        (
            "-- name: one\nSELECT '-- name: two';\n  -- name: three\n",
            {"one": "SELECT '-- name: two';\n  -- name: three"},
        ),
    ],
)
def test_statements_are_named_by_comments_at_the_start_of_a_line(package, text, statements):
    assert load_statements(package(text), "some.sql") == statements


def test_file_is_refused_when_two_statements_share_a_name(package):
    name = package("-- name: one\nSELECT 1;\n-- name: one\nSELECT 2;\n")

    with pytest.raises(ValueError, match=r"some\.sql: two statements are named one"):
        load_statements(name, "some.sql")


"""Beginnings of a statement, which others are put after."""


@pytest.mark.parametrize(
    ("package_name", "filename"),
    [("ledger.postgres", "event_log.sql"), ("projections", "active_tokens.sql"), ("projections", "clients.sql")],
)
def test_statements_of_the_service_are_complete(package_name, filename):
    assert files(package_name).joinpath(filename).is_file()
    for name, statement in load_statements(package_name, filename).items():
        parameters = {int(n) for n in re.findall(r"\$(\d+)", statement)}
        assert statement.rstrip().endswith(";"), name
        assert parameters == set(range(1, len(parameters) + 1)), name
