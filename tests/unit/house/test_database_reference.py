"""docs/reference/database.md lists the columns of every table that the migrations create."""

import re
from importlib.util import module_from_spec, spec_from_file_location

import pytest
from documents import ROOT, sections, table

TEXT = (ROOT / "docs/reference/database.md").read_text()


def migrations():
    for file in sorted((ROOT / "migrations/versions").glob("*.py")):
        spec = spec_from_file_location(f"revision_{file.stem}", file)
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module


def created():
    statements = [statement for module in migrations() for statement in module.STATEMENTS]
    tables = {}
    for statement in statements:
        made = re.search(r"CREATE TABLE (\w+) \((.*)\)", statement, re.DOTALL)
        if made:
            tables[made[1]] = re.findall(r"^\s+([a-z_0-9]+) +[a-z]", made[2], re.MULTILINE)
    return tables


@pytest.mark.parametrize("name", created())
def test_page_lists_the_columns_of_table(name):
    rows = table(sections(TEXT, 2)[name])
    assert [column.strip("` ") for row in rows for column in row[0].split(",")] == created()[name]
