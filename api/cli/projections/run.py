"""Following the log in a process of its own, from settings to the end."""

import logging
import os
from contextlib import ExitStack

import structlog
import typer

from api.cli.database import Dsns, migrate, provide_database, service_config
from api.cli.exit_codes import ExitCode
from api.cli.serving import log_format
from api.logging.configuration import configure_logging
from api.operations.errors import OperationError
from api.server.process import ServerPlan, run_server
from api.server.sockets import ListenError, get_port, listen
from api.server.start_up import StartUpSignals, StoppedDuringStartUp
from api.service.settings import Settings

METRICS_PORT_FLAG = "--metrics-port (TOKEN_LEDGER_METRICS_PORT)"


def run_followers(settings: Settings, *, metrics_port: int | None) -> None:
    """Follow; returns when asked to stop, with every lease let go. Raises OperationError or EmbeddedPostgresError."""
    configure_logging(format=log_format(settings), level=settings.log_level)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    log = structlog.get_logger()
    start_up = StartUpSignals()
    stop_requested = True
    try:
        start_up.handle_signals()
        with ExitStack() as stack:
            listening = None
            if metrics_port is not None:
                try:
                    listening = stack.enter_context(listen(settings.host, metrics_port, flag=METRICS_PORT_FLAG))
                except ListenError as error:
                    raise OperationError(str(error)) from None
            dsns = stack.enter_context(provide_database(settings))
            stack.callback(start_up.ignore_signals)  # a signal must not keep the database from being stopped
            plan = _prepare(start_up, settings, dsns)
            issuers = [identifier.url for identifier in plan.config.issuers]
            port = None if listening is None else get_port(listening)
            log.info("running followers", issuers=issuers, port=port, pid=os.getpid())
            stop_requested = run_server(plan, listening, start_up)
    except (StoppedDuringStartUp, KeyboardInterrupt):
        log.info("stopped before it followed")
    log.info("stopped")
    if not stop_requested:
        raise typer.Exit(int(ExitCode.REFUSED))


def _prepare(start_up: StartUpSignals, settings: Settings, dsns: Dsns) -> ServerPlan:
    owner_dsn = dsns.owner_dsn
    if dsns.directory is not None and owner_dsn is not None:
        start_up.run(lambda: migrate(owner_dsn, settings.service_role))
    config = service_config(settings, dsns.service_dsn, settings.issuer_identifiers())
    start_up.check()
    return ServerPlan(config, settings.shutdown_seconds, sweep_seconds=settings.sweep_seconds, oauth=False)
