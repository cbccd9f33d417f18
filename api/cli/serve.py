"""`token-ledger serve`."""

from typing import Annotated

import typer

from api.cli import flags
from api.cli.exit_codes import ExitCode
from api.cli.output import print_result, print_warning
from api.service.settings import load_settings

Demo = Annotated[
    bool,
    flags.option(
        "--demo",
        "Register clients with public secrets, to try the service out. Refused if the database has other clients.",
    ),
]
Migrate = Annotated[
    bool,
    flags.option(
        "--migrate",
        "Apply missing migrations before serving, with the owner's DSN. Embedded databases are always migrated.",
    ),
]


def serve(
    *,
    host: flags.Host = None,
    port: flags.Port = None,
    workers: flags.Workers = None,
    dsn: flags.Dsn = None,
    projector_dsn: flags.ProjectorDsn = None,
    owner_dsn: flags.OwnerDsn = None,
    embedded: flags.Embedded = None,
    service_role: flags.ServiceRole = None,
    projector_role: flags.ProjectorRole = None,
    issuers: flags.Issuers = None,
    demo: Demo = False,
    migrate: Migrate = False,
    log_format: flags.LogFormat = None,
    log_level: flags.LogLevel = None,
    behind_proxy: flags.BehindProxy = None,
    max_waiting_appends: flags.MaxWaitingAppends = None,
    pool_size: flags.PoolSize = None,
    follow: flags.Follow = None,
    sweep_seconds: flags.SweepSeconds = None,
    metrics: flags.Metrics = None,
    shutdown_seconds: flags.ShutdownSeconds = None,
) -> None:
    """Serve OAuth 2.0 over HTTP until SIGTERM or Ctrl-C.

    On a signal it finishes requests in flight and drains the append queue; a second signal stops waiting for requests.
    It starts even if the database is unreachable or not migrated: /livez responds, /readyz says what is missing.
    """
    network = {"host": host, "port": port, "behind_proxy": behind_proxy, "issuers": issuers}
    database = {"dsn": dsn, "projector_dsn": projector_dsn, "owner_dsn": owner_dsn, "embedded": embedded}
    roles = {"service_role": service_role, "projector_role": projector_role}
    capacity = {"workers": workers, "pool_size": pool_size, "max_waiting_appends": max_waiting_appends}
    background = {"follow": follow, "sweep_seconds": sweep_seconds, "shutdown_seconds": shutdown_seconds}
    monitoring = {"log_format": log_format, "log_level": log_level, "metrics": metrics}
    settings = load_settings(network | database | roles | capacity | background | monitoring)
    from api.operations.serve import serve as run_server  # noqa: PLC0415 (imports the HTTP server, which is slow)

    stopped_by_signal = run_server(
        settings, with_demo=demo, migrate_first=migrate, print_result=print_result, print_warning=print_warning
    )
    if not stopped_by_signal:
        raise typer.Exit(int(ExitCode.REFUSED))
