"""Serving, from settings to the end: take the port, provide the database, prepare it, serve, stop what was started."""

import logging
import socket
import sys
from dataclasses import replace
from typing import Any

import structlog
import typer

from api.cli.database import Dsns, migrate, provide_database, service_config
from api.cli.exit_codes import ExitCode
from api.cli.output import print_result, print_warning
from api.logging.configuration import configure_logging
from api.operations import demo
from api.operations.errors import OperationError, UsageError
from api.server.process import ServerPlan, run_server
from api.server.sockets import ListenError, get_port, listen
from api.server.start_up import StartUpSignals, StoppedDuringStartUp
from api.service.composition import start_service
from api.service.settings import Settings, setting_name
from ledger.domain.errors import Unavailable
from ledger.use_cases.issuer import IssuerIdentifier


def run_serve(settings: Settings, *, with_demo: bool, migrating: bool) -> None:
    """Serve; returns when asked to stop. Raises OperationError, Refusal or Unavailable when it cannot start."""
    configure_logging(format=log_format(settings), level=settings.log_level)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # what was applied is said once, in one line
    try:
        listening = listen(settings.host, settings.port)
    except ListenError as error:
        raise OperationError(str(error)) from None
    start_up = StartUpSignals()
    try:
        start_up.handle_signals()
        with listening, provide_database(settings) as dsns:
            try:
                plan = _prepare(start_up, settings, dsns, get_port(listening), with_demo=with_demo, migrating=migrating)
                stop_requested = _run(start_up, plan, listening, settings)
            finally:
                # From here on a signal must not keep the database from being stopped.
                start_up.ignore_signals()
    except (StoppedDuringStartUp, KeyboardInterrupt):
        structlog.get_logger().info("stopped before it served")
        stop_requested = True
    structlog.get_logger().info("stopped")
    if not stop_requested:
        raise typer.Exit(int(ExitCode.REFUSED))


def _run(start_up: StartUpSignals, plan: ServerPlan, listening: socket.socket, settings: Settings) -> bool:
    """Serve; returns whether it ended because it was asked to."""
    start_up.check()
    structlog.get_logger().info(
        "serving",
        host=settings.host,
        port=get_port(listening),
        issuers=[identifier.url for identifier in plan.config.issuers],
        workers=settings.workers,
    )
    if settings.workers > 1:
        from api.server.workers import run_workers  # noqa: PLC0415 (gunicorn is loaded only where it is used)

        return run_workers(plan, listening, settings.workers, start_up)
    return run_server(plan, listening, start_up)


def _prepare(
    start_up: StartUpSignals, settings: Settings, dsns: Dsns, port: int, *, with_demo: bool, migrating: bool
) -> ServerPlan:
    """Migrate, register or refuse demo clients, and say so."""
    identifiers = settings.issuer_identifiers(port)
    if dsns.directory is not None:
        _tell_of(f"embedded PostgreSQL runs in {dsns.directory}", demo=with_demo)
    if migrating or dsns.directory is not None:
        owner_dsn = dsns.owner_dsn
        if owner_dsn is None:
            msg = f"--migrate needs the owner's DSN: give {setting_name('owner_dsn')}"
            raise UsageError(msg)
        applied = start_up.run(lambda: migrate(owner_dsn, settings.service_role))
        _tell_of(f"migrations applied: {', '.join(applied) or 'none were missing'}", demo=with_demo)
    config = service_config(settings, dsns.service_dsn, identifiers)
    plan = ServerPlan(
        config,
        settings.shutdown_seconds,
        behind_proxy=settings.behind_proxy,
        follow=settings.follow,
        sweep_seconds=settings.sweep_seconds,
        metrics=settings.metrics,
    )
    if with_demo:
        _introduce(start_up.run(lambda: _register_demo(plan)), identifiers)
        return plan
    try:
        start_up.run(lambda: _refuse_demo(plan))
    except Unavailable as error:
        structlog.get_logger().warning("starting without the database", reason=str(error))
        return replace(plan, watch_for_demo_clients=True)
    return plan


async def _register_demo(plan: ServerPlan) -> list[str]:
    service = await start_service(plan.config)
    try:
        for issuer in service.issuers:  # all of them are looked at before the first is changed
            demo.refuse_real_clients(issuer, await issuer.clients.all())
        return [client_id for issuer in service.issuers for client_id in await demo.register_demo_clients(issuer)]
    finally:
        await service.close()


async def _refuse_demo(plan: ServerPlan) -> None:
    service = await start_service(plan.config)
    try:
        problems = await service.problems()
        if problems:
            raise Unavailable(" ".join(problems))
        for issuer in service.issuers:
            demo.refuse_demo_clients(issuer, await issuer.clients.all())
    finally:
        await service.close()


def _introduce(changed: list[str], identifiers: tuple[IssuerIdentifier, ...]) -> None:
    print_result(f"demo clients registered: {', '.join(changed) or 'all were there'}")
    print_warning("DEMO MODE. The secrets of these clients are public: anyone who reaches this service can get tokens.")
    print_warning("Never serve real clients from this database, nor open this port to a network.")
    print_result()
    print_result("Try it, in another terminal:")
    print_result()
    for line in demo.try_it_out(identifiers[0].url).splitlines():
        print_result(line)


def _tell_of(what: str, *, demo: bool) -> None:
    """In a demo, to the person who watches; else to the log."""
    if demo:
        print_result(what)
    else:
        structlog.get_logger().info(what)


def log_format(settings: Settings) -> Any:
    """`auto` decided: console where a person reads standard error."""
    if settings.log_format != "auto":
        return settings.log_format
    return "console" if sys.stderr.isatty() else "json"
