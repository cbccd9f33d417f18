"""ARCHITECTURE.md names tests that exist for every invariant, maps every module, and stays short."""

import ast

from documents import ROOT, links, sections, table

ARCHITECTURE = ROOT / "ARCHITECTURE.md"
TEXT = ARCHITECTURE.read_text()
PACKAGES = ("ledger", "projections", "api", "migrations")


def functions_of(file):
    if not file.exists():
        return set()
    return {
        node.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_test_named_for_an_invariant_exists():
    named = [(text, target) for text, target in links(ARCHITECTURE) if target.startswith("tests/")]
    assert [f"{target}: {text}" for text, target in named if text not in functions_of(ROOT / target)] == []


def test_every_invariant_names_a_test():
    rows = table(sections(TEXT, 2)["Invariants"])
    assert len(rows) > 10
    assert [invariant for invariant, tests in rows if "](tests/" not in tests] == []


def test_map_of_folders_has_every_module():
    mapped = {(ROOT / target).resolve() for _, target in links(ARCHITECTURE)}
    modules = {file for package in PACKAGES for file in (ROOT / package).rglob("*.py") if file.name != "__init__.py"}
    assert {module for module in modules if mapped.isdisjoint({module, *module.parents})} == set()


def test_text_before_the_invariants_has_at_most_two_screens():
    assert len(TEXT.partition("\n## Invariants\n")[0].splitlines()) <= 120
