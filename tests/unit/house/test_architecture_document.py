"""ARCHITECTURE.md is true: its invariants name tests that exist, its map has every module."""

import ast

from documents import ROOT, links, sections, table

ARCHITECTURE = ROOT / "ARCHITECTURE.md"
PACKAGES = ("ledger", "projections", "api", "migrations")


def functions_of(file):
    return {
        node.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_test_that_holds_an_invariant_exists():
    named = [(text, target) for text, target in links(ARCHITECTURE) if target.startswith("tests/")]
    missing = [
        f"{target}: {text}"
        for text, target in named
        if not (ROOT / target).exists() or text not in functions_of(ROOT / target)
    ]
    assert missing == []


def test_every_invariant_is_held_by_a_test():
    rows = table(sections(ARCHITECTURE.read_text(), 2)["Invariants"])
    assert len(rows) > 10
    assert [invariant for invariant, held_by in rows if "](tests/" not in held_by] == []


def test_the_map_has_every_module():
    mapped = {(ROOT / target).resolve() for _, target in links(ARCHITECTURE)}
    modules = {file for package in PACKAGES for file in (ROOT / package).rglob("*.py") if file.name != "__init__.py"}
    unmapped = {module for module in modules if mapped.isdisjoint({module, *module.parents})}
    assert {str(module.relative_to(ROOT)) for module in unmapped} == set()
