"""Whatever names a TOKEN_LEDGER_ variable, in documents or in container files, names one that exists."""

import re
from pathlib import Path

import pytest
from documents import ROOT, markdown_files
from typer.main import get_command

from api.cli.main import app, find_flag_variables
from api.service.settings import Settings, find_unknown_variables, variable_name

CONTAINER_FILES = [ROOT / name for name in ("Dockerfile", "compose.yaml", ".env.example")]
OF_TESTS = {"TOKEN_LEDGER_TEST_DSN"}


KNOWN = {variable_name(name) for name in Settings.model_fields} | find_flag_variables(get_command(app)) | OF_TESTS


def named_in(file: Path) -> set[str]:
    return set(re.findall(r"\bTOKEN_LEDGER_[A-Z][A-Z_]*[A-Z]\b", file.read_text()))


@pytest.mark.parametrize("file", [*markdown_files(), *CONTAINER_FILES], ids=lambda file: str(file.relative_to(ROOT)))
def test_every_variable_named_exists(file):
    assert named_in(file) - KNOWN == set()


def test_a_variable_that_does_not_exist_is_found(tmp_path):
    file = tmp_path / "some.md"
    file.write_text("Set `TOKEN_LEDGER_DSM` and TOKEN_LEDGER_DSN.")
    assert named_in(file) - KNOWN == {"TOKEN_LEDGER_DSM"}


@pytest.mark.parametrize("file", CONTAINER_FILES, ids=lambda file: file.name)
def test_the_service_itself_would_not_warn_of_them(file):
    assert find_unknown_variables((), dict.fromkeys(named_in(file), "")) == []
