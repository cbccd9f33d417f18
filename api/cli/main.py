"""`token-ledger`: the table of all commands, and the console script."""

from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer

from api.cli.audit import commands as audit
from api.cli.audit.credentials import SECRET_VARIABLES
from api.cli.clients import commands as clients
from api.cli.clients.apply import apply
from api.cli.doctor import doctor
from api.cli.exit_codes import CommandGroup
from api.cli.flags import command_taking
from api.cli.log import commands as log
from api.cli.migrate import migrate
from api.cli.output import print_result, print_warning
from api.cli.projections import commands as projections
from api.cli.projections import comparison
from api.cli.serve import serve
from api.cli.tokens import commands as tokens
from api.service.settings import find_unknown_variables

DISTRIBUTION = "token-ledger"

DATABASE = ("dsn", "embedded", "issuers")
OWNER = ("owner_dsn", "service_role", "projector_role")
ISSUER = (*DATABASE, "issuer")
READ = ("json", *ISSUER)
CHANGE = (*READ, "actor")
AUDIT_EVENTS = ("url", "audit_client_id", "audit_secret_file", "audit_token_file", *ISSUER)
AUDIT = ("json", *AUDIT_EVENTS)
REPLAY = ("archives", "owner_dsn", *READ)
PROCESS = ("host", "pool_size", "sweep_seconds", "verify_seconds", "log_format", "log_level")
SERVER = ("port", "workers", "behind_proxy", "max_waiting_appends", "follow", "metrics", "shutdown_seconds")

Commands = Mapping[str, tuple[Callable[..., None], tuple[str, ...]]]
"""For each verb its function, and the shared flags that it takes."""

COMMANDS: Commands = {
    "serve": (serve, (*SERVER, *PROCESS, *OWNER, "projector_dsn", "allow_mutable_log", *DATABASE)),
    "migrate": (migrate, ("json", *OWNER, "dsn", "embedded")),
    "doctor": (doctor, ("json", "workers", "pool_size", *DATABASE)),
}

GROUPS: Mapping[str, tuple[str, Commands]] = {
    "clients": (
        "Register, change and list clients.",
        {
            "add": (clients.add, CHANGE),
            "list": (clients.list_clients, READ),
            "show": (clients.show, READ),
            "disable": (clients.disable, CHANGE),
            "enable": (clients.enable, CHANGE),
            "apply": (apply, CHANGE),
            "add-secret": (clients.add_secret, CHANGE),
            "retire-secret": (clients.retire_secret, CHANGE),
        },
    ),
    "tokens": (
        "Inspect and revoke tokens by their jti.",
        {"history": (tokens.history, READ), "revoke": (tokens.revoke, CHANGE)},
    ),
    "log": (
        "Verify, export, import and archive the log.",
        {
            "verify": (log.verify, ("archives", *READ)),
            "stats": (log.stats, READ),
            "export": (log.export_log, ("archives", *ISSUER)),
            "import": (log.import_log, ("owner_dsn", *READ)),
            "archive": (log.archive, ("owner_dsn", *READ)),
            "archives": (log.list_archives, ("archives", *READ)),
        },
    ),
    "projections": (
        "Run, inspect, rebuild and verify the projections of the log.",
        {
            "run": (projections.run, (*PROCESS, "projector_dsn", *DATABASE)),
            "status": (projections.status, READ),
            "skip": (projections.skip, ("projector_dsn", *ISSUER, "actor")),
            "rebuild": (projections.rebuild, ("archives", "json", "owner_dsn", "dsn", "embedded")),
            "verify": (comparison.verify, REPLAY),
            "replay": (comparison.replay, REPLAY),
            "diff": (comparison.diff, REPLAY),
        },
    ),
    "audit": (
        "Query the history of tokens and clients, as of now or any earlier moment.",
        {
            "token": (audit.token, AUDIT),
            "tokens": (audit.tokens, AUDIT),
            "events": (audit.events, AUDIT_EVENTS),
            "client": (audit.client, AUDIT),
            "summary": (audit.summary, AUDIT),
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
    for name, (command, shared) in COMMANDS.items():
        app.command(name, cls=command_taking(shared))(command)
    for name, (description, commands) in GROUPS.items():
        group = typer.Typer(help=description, no_args_is_help=True)
        for verb, (command, shared) in commands.items():
            group.command(verb, cls=command_taking(shared))(command)
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
