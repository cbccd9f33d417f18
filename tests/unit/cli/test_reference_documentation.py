"""Every verb, flag and setting is in the reference, and every flag has a twin in the environment."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from api.cli.exit_codes import ExitCode
from api.cli.main import all_commands, app
from api.service.settings import Settings, flag, variable

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
CLI = (REFERENCE / "cli.md").read_text(encoding="utf-8")
SETTINGS = (REFERENCE / "settings.md").read_text(encoding="utf-8")
COMMANDS = all_commands(get_command(app))
FLAGS_OF_SETTINGS = {flag(field): variable(field) for field in Settings.model_fields}


def options(words: str):
    return [p for p in COMMANDS[words].params if p.param_type_name == "option" and "--help" not in p.opts]


def twin(option) -> str | None:
    return FLAGS_OF_SETTINGS.get(option.opts[0]) or option.envvar


def section(text: str, heading: str) -> str:
    _, found, rest = text.partition(f"\n{heading}\n")
    assert found, f"there is no section {heading!r}"
    return re.split(r"\n#{1,3} ", rest)[0]


@pytest.mark.parametrize("words", COMMANDS)
def test_every_verb_is_documented_with_its_arguments_flags_and_their_variables(words):
    documented = section(CLI, f"### token-ledger {words}")
    for option in options(words):
        row = f"| {', '.join(f'`{name}`' for name in (*option.opts, *option.secondary_opts))} | `{twin(option)}` |"
        assert row in documented
    for parameter in COMMANDS[words].params:
        if parameter.param_type_name == "argument":
            assert f" {parameter.metavar}" in documented


@pytest.mark.parametrize("words", COMMANDS)
def test_every_flag_says_what_it_is_and_names_its_twin_in_the_help(words):
    for option in options(words):
        assert option.help
        variable_name = twin(option)
        assert variable_name is not None, option.opts
        assert variable_name.startswith("TOKEN_LEDGER_")
        assert option.envvar == variable_name or f"env var: {variable_name}" in option.help
        assert option.envvar is None or option.show_envvar


def test_nothing_is_documented_that_is_not_there():
    assert set(re.findall(r"^### token-ledger ([a-z][a-z -]*)$", CLI, re.MULTILINE)) == set(COMMANDS)
    assert set(re.findall(r"^\| `(--[a-z-]+)`", CLI, re.MULTILINE)) == {o.opts[0] for w in COMMANDS for o in options(w)}
    assert set(re.findall(r"^## ([a-z_]+)$", SETTINGS, re.MULTILINE)) == set(Settings.model_fields)


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_is_documented_as_its_help_has_it(field):
    documented = section(SETTINGS, f"## {field}")
    assert f"`{variable(field)}`, `{flag(field)}`. Default: " in documented
    assert Settings.model_fields[field].description in " ".join(documented.split())
    default = Settings.model_fields[field].default
    if isinstance(default, bool | int | float | str):
        shown = (
            str(default).lower()
            if isinstance(default, bool)
            else f"{default:g}"
            if isinstance(default, float)
            else str(default)
        )
        assert f"Default: `{shown}`." in documented


def test_a_variable_belongs_to_one_thing():
    twins = {}
    for words in COMMANDS:
        for option in options(words):
            twins.setdefault(twin(option), set()).add(option.opts[0])
    assert {name: flags for name, flags in twins.items() if len(flags) > 1} == {}


def test_every_exit_code_is_documented():
    for code in ExitCode:
        assert re.search(rf"^\| {code.value} \| \w", CLI, re.MULTILINE)
