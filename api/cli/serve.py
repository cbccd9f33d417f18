"""`token-ledger serve`."""

from typing import Annotated

import typer

from api.cli.exit_codes import ExitCode
from api.cli.flags import option
from api.cli.output import print_result, print_warning

Demo = Annotated[
    bool,
    option(
        "--demo",
        "Register clients with public secrets, to try the service out. Refused if the database has other clients.",
    ),
]
Migrate = Annotated[
    bool,
    option(
        "--migrate",
        "Apply missing migrations before serving, with the owner's DSN. Embedded databases are always migrated.",
    ),
]


def serve(ctx: typer.Context, *, demo: Demo = False, migrate: Migrate = False) -> None:
    """Serve OAuth 2.0 over HTTP until SIGTERM or Ctrl-C.

    On a signal it finishes requests in flight and drains the append queue; a second signal stops waiting for requests.
    It starts even if the database is unreachable or not migrated: /livez responds, /readyz says what is missing.
    """
    settings = ctx.obj.load_settings()
    from api.operations.serve import serve as run_server  # noqa: PLC0415 (imports the HTTP server, which is slow)

    stopped_by_signal = run_server(
        settings, with_demo=demo, migrate_first=migrate, print_result=print_result, print_warning=print_warning
    )
    if not stopped_by_signal:
        raise typer.Exit(int(ExitCode.REFUSED))
