"""Every flag has help and an environment variable of its own."""

from typer.main import get_command

from api.cli.main import app, find_commands
from api.service.settings import Settings, flag_name, variable_name

VARIABLES_OF_SETTINGS = {flag_name(field): variable_name(field) for field in Settings.model_fields}
FLAGS = [
    option
    for command in find_commands(get_command(app)).values()
    for option in command.params
    if option.param_type_name == "option" and "--help" not in option.opts
]


def variable_of(option):
    return option.envvar or VARIABLES_OF_SETTINGS.get(option.opts[0])


def test_flag_has_help_that_names_its_environment_variable():
    for option in FLAGS:
        assert option.help, option.opts
        assert variable_of(option).startswith("TOKEN_LEDGER_"), option.opts
        assert option.show_envvar if option.envvar else f"env var: {variable_of(option)}" in option.help, option.opts


def test_environment_variable_belongs_to_one_flag():
    flags = {}
    for option in FLAGS:
        flags.setdefault(variable_of(option), set()).add(option.opts[0])
    assert {name: shared for name, shared in flags.items() if len(shared) > 1} == {}
