"""docs/reference/database.md has the privileges that the migrations grant, and the columns that they make."""

import re
from importlib.util import module_from_spec, spec_from_file_location

import pytest
from documents import ROOT, sections, table

TEXT = (ROOT / "docs/reference/database.md").read_text()
PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE")


def migrations():
    for file in sorted((ROOT / "migrations/versions").glob("*.py")):
        spec = spec_from_file_location(f"revision_{file.stem}", file)
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module


def granted():
    return {name: set(re.split(r", *", held)) for module in migrations() for name, held in module.GRANTS.items()}


def created():
    statements = [statement for module in migrations() for statement in module.STATEMENTS]
    tables = {}
    for statement in statements:
        made = re.search(r"CREATE TABLE (\w+) \((.*)\)", statement, re.DOTALL)
        if made:
            tables[made[1]] = re.findall(r"^\s+([a-z_0-9]+) +[a-z]", made[2], re.MULTILINE)
    return tables


def test_the_privileges_of_the_service():
    rows = [row for row in table(sections(TEXT, 2)["Roles"]) if len(row) == len(PRIVILEGES) + 1]
    documented = {name: {p for p, held in zip(PRIVILEGES, cells, strict=True) if held} for name, *cells in rows}
    assert documented == granted()


@pytest.mark.parametrize("name", created())
def test_the_columns_of_a_table(name):
    rows = table(sections(TEXT, 2)[name])
    assert [column.strip("` ") for row in rows for column in row[0].split(",")] == created()[name]
