"""ARCHITECTURE.md names tests that exist for every invariant, maps every module, and stays short."""

import ast
import re

from documents import ROOT, links, sections, table

ARCHITECTURE = ROOT / "ARCHITECTURE.md"
TEXT = ARCHITECTURE.read_text()
PACKAGES = ("ledger", "projections", "api", "migrations")


MODULES = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py") if file.name != "__init__.py"]


def names_in(file, *kinds):
    """The names of the functions or classes of a file; none if there is no such file."""
    tree = ast.parse(file.read_text() if file.exists() else "")
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def test_every_test_named_for_an_invariant_exists():
    named = [(text, target) for text, target in links(ARCHITECTURE) if target.startswith("tests/")]
    functions = {target: names_in(ROOT / target, ast.FunctionDef, ast.AsyncFunctionDef) for _, target in named}
    assert [f"{target}: {text}" for text, target in named if text not in functions[target]] == []


def test_every_invariant_names_a_test():
    rows = table(sections(TEXT, 2)["Invariants"])
    assert len(rows) > 10
    assert [invariant for invariant, tests in rows if "](tests/" not in tests] == []


def test_map_of_folders_has_every_module():
    mapped = {(ROOT / target).resolve() for _, target in links(ARCHITECTURE)}
    assert {module for module in MODULES if mapped.isdisjoint({module, *module.parents})} == set()


def test_every_class_named_in_the_text_exists():
    named = set(re.findall(r"`([A-Z][a-z]+[A-Z]?\w+)`", TEXT))
    assert "ClientRegistry" in named
    assert named - {name for module in MODULES for name in names_in(module, ast.ClassDef)} == set()


def test_text_before_the_invariants_has_at_most_two_screens():
    assert len(TEXT.partition("\n## Invariants\n")[0].splitlines()) <= 120
