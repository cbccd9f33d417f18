"""Settings, metrics, endpoints and columns that documents name exist, and none is missing from the reference."""

import asyncio
import re
from unittest.mock import Mock

from documents import ROOT, markdown_files, sections, table
from typer.main import get_command

from api.cli.main import app, find_flag_variables
from api.http.app import create_app
from api.http.metrics.catalogue import METRICS
from api.service.settings import Settings, find_unknown_variables, variable_name
from ledger.use_cases.issuer import IssuerIdentifier

CONTAINER_FILES = [ROOT / name for name in ("Dockerfile", "compose.yaml", ".env.example")]
VARIABLES = {variable_name(name) for name in Settings.model_fields} | find_flag_variables(get_command(app))
VARIABLES_OF_TESTS = {"TOKEN_LEDGER_TEST_DSN"}
METRIC = re.compile(r"\btoken_ledger_(?:http|append|event|audit|log|projection|sweep|verification|info|database)\w*")
REFERENCE = ROOT / "docs/reference"


def variables_in(*files):
    return {name for file in files for name in re.findall(r"\bTOKEN_LEDGER_[A-Z_]*[A-Z]\b", file.read_text())}


def test_variables_in_documents_and_container_files_exist():
    assert variables_in(*markdown_files(), *CONTAINER_FILES) - VARIABLES - VARIABLES_OF_TESTS == set()


def test_service_warns_of_no_variable_in_the_container_files():
    assert find_unknown_variables((), dict.fromkeys(variables_in(*CONTAINER_FILES), "")) == []


def test_metrics_in_documents_exist():
    named = {name for file in markdown_files() for name in METRIC.findall(file.read_text())}
    assert len(named) >= len(METRICS) - 1
    assert named - {metric.name for metric in METRICS} == set()


def test_reference_lists_every_endpoint():
    text = (REFERENCE / "http.md").read_text() + (REFERENCE / "audit-api.md").read_text()
    # The last resource serves unknown paths.
    *resources, _ = asyncio.run(create_routes("tenant")).router.resources()
    paths = {resource.canonical.removeprefix("/tenant").removesuffix("/tenant") for resource in resources}
    assert len(paths) > 5
    assert {path for path in paths if path not in text} == set()


def test_reference_lists_every_column_of_every_table():
    documented = sections((REFERENCE / "database.md").read_text(), 2)
    for name, columns in created_tables().items():
        rows = table(documented[name])
        assert [column.strip("` ") for row in rows for column in row[0].split(",")] == columns, name


def created_tables():
    """The columns of the tables that migrations create, by name."""
    revisions = sorted((ROOT / "migrations/versions").glob("*.py"))
    statements = "\n".join(revision.read_text() for revision in revisions)
    tables = re.findall(r"CREATE TABLE (\w+) \((.*?)\n\s*\)", statements, re.DOTALL)
    assert tables
    return {name: re.findall(r"^\s+([a-z_0-9]+) +[a-z]", body, re.MULTILINE) for name, body in tables}


async def create_routes(path):
    issuer = Mock(identifier=IssuerIdentifier(f"http://localhost/{path}"))
    return create_app(Mock(issuers=(issuer,)))
