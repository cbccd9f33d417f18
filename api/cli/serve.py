"""`token-ledger serve`: its flags. What it does is in `api.cli.serving`."""

from typing import Annotated

from api.cli import flags
from api.service.settings import Settings, load_settings

Demo = Annotated[
    bool,
    flags.of_command(
        "DEMO",
        "--demo",
        help="Register clients with public secrets, to try the service out. Refuses a database with other clients.",
    ),
]
Migrate = Annotated[
    bool,
    flags.of_command(
        "MIGRATE",
        "--migrate",
        help="Apply missing migrations before serving, with the owner's DSN. An embedded database always is migrated.",
    ),
]


def serve(
    *,
    host: flags.Host = None,
    port: flags.Port = None,
    workers: flags.Workers = None,
    dsn: flags.Dsn = None,
    owner_dsn: flags.OwnerDsn = None,
    embedded: flags.Embedded = None,
    service_role: flags.ServiceRole = None,
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

    Requests in flight are answered and what waits is recorded before it ends; a second signal hurries it.
    It starts while the database is away or not migrated: /livez answers, /readyz says what is missing.
    """
    given = dict(locals())
    given = {name: given[name] for name in Settings.model_fields if name in given}
    from api.cli.serving import run_serve  # noqa: PLC0415 (the HTTP server, slow to load, and of no use to the others)

    run_serve(load_settings(given), with_demo=demo, migrating=migrate)
