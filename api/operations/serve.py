"""Run a server process from its settings to its end: `serve` with OAuth, `run_followers` without."""

import logging
import os
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

import structlog

from api.logging.configuration import configure_logging
from api.operations import demo
from api.operations.database import Dsns, Report, migrate, open_service, provide_database, service_config
from api.operations.errors import OperationError, UsageError
from api.server.process import ServerPlan, run_server
from api.server.sockets import listen
from api.server.start_up import StartUpSignals, StoppedDuringStartUp
from api.service.role_check import describe_excess_rights
from api.service.settings import Settings, setting_name
from ledger.domain.errors import Unavailable
from ledger.postgres.database import Database
from ledger.use_cases.issuer import IssuerIdentifier

METRICS_PORT_FLAG = "--metrics-port (TOKEN_LEDGER_METRICS_PORT)"


def serve(
    settings: Settings, *, with_demo: bool, migrate_first: bool, print_result: Report, print_warning: Report
) -> bool:
    """Serve until a signal asks to stop; False means that the server refused to serve this database.

    In a demo `print_result` shows the progress of the start; otherwise it is logged.
    Raises OperationError, Refusal or Unavailable when the server cannot start.
    """
    _configure_logging(settings)
    listening = listen(settings.host, settings.port)
    port = listening.getsockname()[1]
    report = print_result if with_demo else structlog.get_logger().info

    def start(start_up: StartUpSignals, dsns: Dsns) -> bool:
        identifiers = settings.issuer_identifiers(port)
        _migrate(start_up, settings, dsns, report, migrate_first=migrate_first)
        plan = ServerPlan(
            service_config(settings, dsns, identifiers, restricted=not settings.allow_mutable_log),
            settings.shutdown_seconds,
            behind_proxy=settings.behind_proxy,
            follow=settings.follow,
            sweep_seconds=settings.sweep_seconds,
            verify_seconds=settings.verify_seconds,
            metrics=settings.metrics,
        )
        _check_role(start_up, plan)
        if with_demo:
            registered = start_up.run(lambda: _register_demo_clients(plan))
            _introduce_demo(registered, identifiers, print_result, print_warning)
        else:
            try:
                start_up.run(lambda: _refuse_demo_clients(plan))
            except Unavailable as error:  # the server checks once the database is reachable
                reason = " ".join(str(error).splitlines())
                structlog.get_logger().warning("starting without the database", reason=reason)
                plan = replace(plan, watch_for_demo_clients=True)
        start_up.check()
        structlog.get_logger().info(
            "serving",
            host=settings.host,
            port=port,
            issuers=[identifier.url for identifier in identifiers],
            workers=settings.workers,
        )
        if settings.workers > 1:
            from api.server.workers import run_workers  # noqa: PLC0415 (imports gunicorn, needed only here)

            return run_workers(plan, listening, settings.workers, start_up)
        return run_server(plan, listening, start_up)

    return _run_until_stopped(settings, listening, start)


def run_followers(settings: Settings, *, metrics_port: int | None, report: Report) -> bool:
    """Follow the log until a signal asks to stop, then release every lease.

    Raises OperationError, EmbeddedPostgresError.
    """
    _configure_logging(settings)
    listening = None
    if metrics_port is not None:
        listening = listen(settings.host, metrics_port, flag=METRICS_PORT_FLAG)

    def start(start_up: StartUpSignals, dsns: Dsns) -> bool:
        owner_dsn = dsns.owner_dsn
        if dsns.directory is not None and owner_dsn is not None:
            start_up.run(lambda: migrate(owner_dsn, settings, report))
        config = service_config(settings, dsns, settings.issuer_identifiers())
        start_up.check()
        plan = ServerPlan(
            config,
            settings.shutdown_seconds,
            sweep_seconds=settings.sweep_seconds,
            verify_seconds=settings.verify_seconds,
            oauth=False,
        )
        issuers = [identifier.url for identifier in config.issuers]
        port = None if listening is None else listening.getsockname()[1]
        structlog.get_logger().info("running followers", issuers=issuers, port=port, pid=os.getpid())
        return run_server(plan, listening, start_up)

    return _run_until_stopped(settings, listening, start)


def _run_until_stopped(
    settings: Settings, listening: socket.socket | None, start: Callable[[StartUpSignals, Dsns], bool]
) -> bool:
    log = structlog.get_logger()
    start_up = StartUpSignals()
    try:
        with ExitStack() as stack:
            if listening is not None:
                stack.enter_context(listening)
            start_up.handle_signals()
            dsns = stack.enter_context(provide_database(settings))
            stack.callback(start_up.ignore_signals)  # a signal must not interrupt the shutdown of the database
            stopped_by_signal = start(start_up, dsns)
    except (StoppedDuringStartUp, KeyboardInterrupt):
        log.info("stopped during start-up")
        stopped_by_signal = True
    log.info("stopped")
    return stopped_by_signal


def _configure_logging(settings: Settings) -> None:
    log_format: Any = settings.log_format
    if log_format == "auto":
        log_format = "console" if sys.stderr.isatty() else "json"
    configure_logging(format=log_format, level=settings.log_level)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # `_migrate` logs the applied revisions in one line


def _migrate(start_up: StartUpSignals, settings: Settings, dsns: Dsns, report: Report, *, migrate_first: bool) -> None:
    if dsns.directory is not None:
        report(f"embedded PostgreSQL runs in {dsns.directory}")
    elif not migrate_first:
        return
    owner_dsn = dsns.owner_dsn
    if owner_dsn is None:
        msg = f"--migrate needs the owner's DSN: give {setting_name('owner_dsn')}"
        raise UsageError(msg)
    applied = start_up.run(lambda: migrate(owner_dsn, settings, report))
    report(f"migrations applied: {', '.join(applied) or 'none were missing'}")


async def _register_demo_clients(plan: ServerPlan) -> list[str]:
    async with open_service(plan.config) as service:
        for issuer in service.issuers:  # check every issuer before the first change
            demo.refuse_real_clients(issuer, await issuer.clients.list_all())
        return [client_id for issuer in service.issuers for client_id in await demo.register_demo_clients(issuer)]


def _check_role(start_up: StartUpSignals, plan: ServerPlan) -> None:
    """Refuse a role that could change recorded events, unless the operator allows it. Raises OperationError."""
    if plan.config.restricted:
        with suppress(Unavailable):  # then /readyz says so, once the database can be reached
            start_up.run(lambda: _refuse_excess_rights(plan.config.dsn))


async def _refuse_excess_rights(dsn: str) -> None:
    database = Database(dsn, pool_size=1)
    try:
        async with database.connection() as connection:
            excess = await describe_excess_rights(connection)
    finally:
        await database.close()
    if excess:
        advice = "connect as the service's role, or accept the risk with"
        msg = f"{excess}: {advice} {setting_name('allow_mutable_log')}"
        raise OperationError(msg)


async def _refuse_demo_clients(plan: ServerPlan) -> None:
    async with open_service(plan.config) as service:
        for issuer in service.issuers:
            demo.refuse_demo_clients(issuer, await issuer.clients.list_all())


def _introduce_demo(
    changed: list[str], identifiers: tuple[IssuerIdentifier, ...], print_result: Report, print_warning: Report
) -> None:
    print_result(f"demo clients registered: {', '.join(changed) or 'none were missing'}")
    print_warning("DEMO MODE. The secrets of these clients are public: anyone who reaches this service can get tokens.")
    print_warning("Never serve real clients from this database, and never open this port to a network.")
    for line in ("", "Try it in another terminal:", "", *demo.format_example_requests(identifiers[0].url).splitlines()):
        print_result(line)
