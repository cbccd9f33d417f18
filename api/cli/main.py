"""`token-ledger`: all commands, put together."""

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer

from api.cli.audit import searches  # noqa: F401 (it adds its commands to `audit`)
from api.cli.audit.commands import audit
from api.cli.audit.credentials import WITHOUT_FLAG
from api.cli.clients import apply, secrets  # noqa: F401 (they add their commands to `clients`)
from api.cli.clients.commands import clients
from api.cli.doctor import doctor
from api.cli.exit_codes import CommandGroup
from api.cli.log import archive, export_import  # noqa: F401 (they add their commands to `log`)
from api.cli.log.commands import log
from api.cli.migrate import migrate
from api.cli.output import print_result, print_warning
from api.cli.projections import rebuild, replay, verify  # noqa: F401 (they add their commands to `projections`)
from api.cli.projections.commands import projections
from api.cli.serve import serve
from api.cli.tokens.commands import tokens
from api.service.settings import find_unknown_variables

DISTRIBUTION = "token-ledger"

app = typer.Typer(
    name=DISTRIBUTION,
    cls=CommandGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    # A stack trace with the values of variables would print secrets.
    pretty_exceptions_enable=False,
    help="An OAuth 2.0 token service whose database is an append-only ledger.\n\n"
    "Every flag has a twin in the environment; the flag wins. "
    "Exit codes: 0 done, 1 refused or something found, 2 usage, 3 database or service unavailable.",
)
app.command()(serve)
app.command()(migrate)
app.add_typer(clients, name="clients")
app.add_typer(tokens, name="tokens")
app.add_typer(log, name="log")
app.add_typer(projections, name="projections")
app.add_typer(audit, name="audit")
app.command()(doctor)


def _print_version(value: bool) -> None:  # noqa: FBT001 (typer's signature of a callback)
    if value:
        try:
            print_result(f"{DISTRIBUTION} {version(DISTRIBUTION)}")
        except PackageNotFoundError:
            print_result(f"{DISTRIBUTION} (not installed: run from its source)")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    *,
    show_version: Annotated[  # noqa: ARG001 (its callback has done it)
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    for warning in find_unknown_variables(flag_variables(context.command)):
        print_warning(warning)


def flag_variables(root: Any) -> set[str]:
    """The environment variables that are no settings: twins of flags, and secrets, which have no flag."""
    commands = all_commands(root).values()
    twins = {str(p.envvar) for command in commands for p in command.params if getattr(p, "envvar", None)}
    return twins | set(WITHOUT_FLAG)


def all_commands(root: Any) -> dict[str, Any]:
    """Every command below a group, by its words: `serve`, `clients add` and so on."""
    found: dict[str, Any] = {}

    def walk(words: str, command: Any) -> None:
        inner = getattr(command, "commands", None)
        if inner is None:
            found[words] = command
            return
        for name, child in inner.items():
            walk(f"{words} {name}".strip(), child)

    walk("", root)
    return found


def main() -> None:
    """The console script."""
    app(prog_name=DISTRIBUTION)


if __name__ == "__main__":
    main()
