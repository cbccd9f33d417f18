"""The commands, from the parser of the command line."""

import inspect
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from typer.main import get_command

import api.cli.exit_codes
from api.cli.exit_codes import ExitCode
from api.cli.main import app, find_commands
from api.service.settings import Settings, flag_name
from docs.generator.attribute_docs import attribute_docs
from docs.generator.markdown import table
from docs.generator.settings import format_default

SHARED_FROM = 5
"""A flag with one meaning in so many commands is described once, in the section of shared flags."""

SETTINGS = {flag_name(field): field for field in Settings.model_fields}


def cli_regions() -> Mapping[str, str]:
    """A region for each command, one for the flags that commands share, and one for the exit codes."""
    commands = find_commands(get_command(app))
    uses = Counter((_names(option), option.help) for command in commands.values() for option in _own(command))
    options = {_names(o): o for c in commands.values() for o in _own(c) if uses[_names(o), o.help] >= SHARED_FROM}
    docs = attribute_docs(api.cli.exit_codes)
    return {
        "exit codes": table(
            ("code", "meaning"), [(str(code.value), docs[f"ExitCode.{code.name}"]) for code in ExitCode]
        ),
        "shared flags": _flags([options[names] for names in sorted(options)]),
    } | {f"command {words}": _command(words, command, options) for words, command in commands.items()}


def _command(words: str, command: Any, shared: Mapping[str, Any]) -> str:
    options = [o for o in _own(command) if shared.get(_names(o)) is None or shared[_names(o)].help != o.help]
    others = [o for o in _own(command) if o not in options]
    settings = [o for o in _options(command) if o.opts[0] in SETTINGS]
    parts = [f"### token-ledger {words}", _usage(words, command), inspect.cleandoc(command.help or "")]
    if options:
        parts.append(_flags(options))
    lists = (("[Shared flags](#shared-flags)", others), ("[Settings](settings.md)", settings))
    named = [f"{title}: {', '.join(f'`{_names(o)}`' for o in listed)}." for title, listed in lists if listed]
    return "\n\n".join(filter(None, (*parts, " ".join(named))))


def _usage(words: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    if not arguments:
        return ""
    shown = [p.metavar or p.name.upper() if p.required else f"[{p.metavar or p.name.upper()}]" for p in arguments]
    return f"    token-ledger {words} {' '.join(shown)}"


def _options(command: Any) -> Sequence[Any]:
    return [p for p in command.params if p.param_type_name == "option" and "--help" not in p.opts]


def _own(command: Any) -> Sequence[Any]:
    """The options that are not settings."""
    return [option for option in _options(command) if option.opts[0] not in SETTINGS or option.envvar]


def _names(option: Any) -> str:
    return "`, `".join((*option.opts, *option.secondary_opts))


def _flags(options: Sequence[Any]) -> str:
    return table(
        ("flag", "environment", "meaning"),
        [(f"`{_names(o)}`", f"`{o.envvar}`", f"{o.help}{_default(o)}") for o in options],
    )


def _default(option: Any) -> str:
    if option.required:
        return " Required."
    if option.default in (None, False, (), []) or "Default:" in (option.help or ""):
        return ""
    default = getattr(option.default, "value", option.default)
    return f" Default: {format_default(default)}."
