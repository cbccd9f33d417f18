"""`token-ledger`: the table of all commands, and the console script."""

from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer

from api.cli.audit import commands as audit
from api.cli.audit.credentials import SECRET_VARIABLES
from api.cli.audit.events import events
from api.cli.clients import commands as clients
from api.cli.clients.apply import apply
from api.cli.clients.secrets import add_secret, retire_secret
from api.cli.doctor import doctor
from api.cli.exit_codes import CommandGroup
from api.cli.log import archive as archives
from api.cli.log import commands as log
from api.cli.log import export_import
from api.cli.migrate import migrate
from api.cli.output import print_result, print_warning
from api.cli.projections import commands as projections
from api.cli.projections import comparison
from api.cli.projections.rebuild import rebuild
from api.cli.serve import serve
from api.cli.tokens import commands as tokens
from api.service.settings import find_unknown_variables

DISTRIBUTION = "token-ledger"

Commands = Mapping[str, Callable[..., None]]

COMMANDS: Commands = {"serve": serve, "migrate": migrate, "doctor": doctor}

GROUPS: Mapping[str, tuple[str, Commands]] = {
    "clients": (
        "Register, change and list clients.",
        {
            "add": clients.add,
            "list": clients.list_clients,
            "show": clients.show,
            "disable": clients.disable,
            "enable": clients.enable,
            "apply": apply,
            "add-secret": add_secret,
            "retire-secret": retire_secret,
        },
    ),
    "tokens": (
        "Inspect and revoke tokens by their jti.",
        {"history": tokens.history, "revoke": tokens.revoke},
    ),
    "log": (
        "Verify, export, import and archive the log.",
        {
            "verify": log.verify,
            "stats": log.stats,
            "export": export_import.export_log,
            "import": export_import.import_log,
            "archive": archives.archive,
            "archives": archives.list_archives,
        },
    ),
    "projections": (
        "Run, inspect, rebuild and verify the projections of the log.",
        {
            "run": projections.run,
            "status": projections.status,
            "skip": projections.skip,
            "rebuild": rebuild,
            "verify": comparison.verify,
            "replay": comparison.replay,
            "diff": comparison.diff,
        },
    ),
    "audit": (
        "Query the history of tokens and clients, as of now or any earlier moment.",
        {
            "token": audit.token,
            "tokens": audit.tokens,
            "events": events,
            "client": audit.client,
            "summary": audit.summary,
        },
    ),
}


def create_app() -> typer.Typer:
    """Build the command line from the tables above."""
    app = typer.Typer(
        name=DISTRIBUTION,
        cls=CommandGroup,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        # A pretty stack trace contains the values of variables, secrets among them.
        pretty_exceptions_enable=False,
        help="An OAuth 2.0 token service whose database is an append-only log of events.\n\n"
        "Every flag has an environment variable; the flag takes precedence. "
        "Exit codes: 0 success, 1 refused or problem found, 2 usage error, 3 database or service unavailable.",
    )
    app.callback()(_root)
    for name, command in COMMANDS.items():
        app.command(name)(command)
    for name, (description, commands) in GROUPS.items():
        group = typer.Typer(help=description, no_args_is_help=True)
        for verb, command in commands.items():
            group.command(verb)(command)
        app.add_typer(group, name=name)
    return app


def _print_version(value: bool) -> None:  # noqa: FBT001 (the signature of a typer callback)
    if value:
        try:
            print_result(f"{DISTRIBUTION} {version(DISTRIBUTION)}")
        except PackageNotFoundError:
            print_result(f"{DISTRIBUTION} (not installed, run from source)")
        raise typer.Exit


def _root(
    context: typer.Context,
    *,
    show_version: Annotated[  # noqa: ARG001 (its callback handles it)
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    for warning in find_unknown_variables(find_flag_variables(context.command)):
        print_warning(warning)


def find_flag_variables(root: Any) -> set[str]:
    """Find the environment variables that are not settings: those of other flags, and of secrets without a flag."""
    commands = find_commands(root).values()
    variables = {str(p.envvar) for command in commands for p in command.params if getattr(p, "envvar", None)}
    return variables | set(SECRET_VARIABLES)


def find_commands(root: Any) -> dict[str, Any]:
    """Find every command below a click group, by its words: `serve`, `clients add`."""
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


app = create_app()


def main() -> None:
    """Run the console script."""
    app(prog_name=DISTRIBUTION)


if __name__ == "__main__":
    main()
