"""`token-ledger projections run`, `status` and `skip`."""

import asyncio
from typing import Annotated

import typer

from api.cli import flags
from api.cli.context import CommandContext, DatabaseFlags, choose_issuer, run_on_issuer
from api.cli.exit_codes import ExitCode
from api.cli.output import print_note, print_result
from api.cli.projections.views import print_statuses, watch_statuses
from api.operations.database import open_database, service_config
from api.operations.errors import UsageError
from api.service.composition import start_service
from api.service.settings import Settings, load_settings
from ledger.domain.errors import Unavailable
from ledger.domain.recording import EventMapper
from projections.catalogue import catch_up_projections, inline_projections
from projections.following.skips import skip_event

RATE_INTERVAL_SECONDS = 0.5
"""The time between the two readings from which a rate is computed."""

MetricsPort = Annotated[
    int | None,
    flags.option(
        "--metrics-port",
        "Serve /metrics, /livez and /readyz on this port of --host; 0 takes a free one. Default: do not listen.",
        min=0,
        max=65535,
    ),
]
Watch = Annotated[bool, flags.option("--watch", "Refresh every second, until Ctrl-C.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The projection, as 'status' names it.")]
Position = Annotated[
    int, typer.Argument(metavar="POSITION", min=1, help="The position of the event at which it is stopped.")
]


def run(
    *,
    dsn: flags.Dsn = None,
    projector_dsn: flags.ProjectorDsn = None,
    embedded: flags.Embedded = None,
    issuers: flags.Issuers = None,
    metrics_port: MetricsPort = None,
    host: flags.Host = None,
    sweep_seconds: flags.SweepSeconds = None,
    pool_size: flags.PoolSize = None,
    log_format: flags.LogFormat = None,
    log_level: flags.LogLevel = None,
) -> None:
    """Keep the catch-up projections of every issuer up to date until SIGTERM or Ctrl-C.

    It also removes the rows of expired tokens. Any number of processes may run it, and 'serve' does it too: a lease
    lets one process at a time follow each projection of a log. If that process ends or hangs, another takes over within
    5 seconds.
    """
    database = {"dsn": dsn, "projector_dsn": projector_dsn, "embedded": embedded, "issuers": issuers}
    process = {
        "pool_size": pool_size,
        "host": host,
        "sweep_seconds": sweep_seconds,
        "log_format": log_format,
        "log_level": log_level,
    }
    settings = load_settings(database | process)
    from api.operations.serve import run_followers  # noqa: PLC0415 (imports the HTTP server, which is slow)

    if not run_followers(settings, metrics_port=metrics_port, report=print_note):
        raise typer.Exit(int(ExitCode.REFUSED))


def status(
    *,
    watch: Watch = False,
    json: flags.Json = False,
    dsn: flags.Dsn = None,
    embedded: flags.Embedded = None,
    issuers: flags.Issuers = None,
    issuer: flags.IssuerChoice = None,
) -> None:
    """Show the state, position, lag, rate and lease holder of every projection of every issuer.

    The exit code is 1 if a projection is stopped or stale and needs an operator.
    """
    settings = load_settings({"dsn": dsn, "embedded": embedded, "issuers": issuers})
    try:
        is_stalled = asyncio.run(_print_status(settings, issuer, watch=watch, json=json))
    except KeyboardInterrupt:
        if watch:
            return
        raise
    if is_stalled:
        raise typer.Exit(int(ExitCode.REFUSED))


async def _print_status(settings: Settings, issuer: str | None, *, watch: bool, json: bool) -> bool:
    identifiers = settings.issuer_identifiers()
    if issuer is not None:
        identifiers = (choose_issuer(identifiers, issuer),)
    async with open_database(settings, print_note) as database:
        service = await start_service(service_config(settings, database, identifiers))
        try:
            if problems := await service.problems():
                raise Unavailable("\n".join(problems))
            if watch:
                await watch_statuses(service.projections, json=json)
            return await print_statuses(service.projections, RATE_INTERVAL_SECONDS, json=json)
        finally:
            await service.close()


def skip(
    name: Name,
    position: Position,
    *,
    reason: flags.Reason,
    dsn: flags.Dsn = None,
    projector_dsn: flags.ProjectorDsn = None,
    embedded: flags.Embedded = None,
    issuers: flags.Issuers = None,
    issuer: flags.IssuerChoice = None,
    actor: flags.Actor = None,
) -> None:
    """Skip the event at which a projection is stopped, permanently. Fix the code instead if you can.

    The projection will lack the content of this event, even after a rebuild. This cannot be undone.
    """
    mapper = EventMapper()
    if name not in (names := [projection.name for projection in catch_up_projections(mapper)]):
        inline = name in {projection.name for projection in inline_projections(mapper)}
        why = "is an inline projection, which never stops" if inline else "is not a projection"
        msg = f"{name!r} {why}; the catch-up projections are: {', '.join(names)}"
        raise UsageError(msg)
    if not reason.strip():
        msg = "--reason (TOKEN_LEDGER_REASON) must not be empty: auditors will read it"
        raise UsageError(msg)

    async def work(context: CommandContext) -> None:
        log = context.projector_log
        skipped = await skip_event(
            log.database, await log.find_id(), name, position, reason=reason.strip(), actor=context.cause.actor
        )
        print_result(f"{name} skips position {position} of log {log.name!r}, {skipped.topic}")
        if skipped.error:
            print_result(f"it failed with: {skipped.error}")

    database = DatabaseFlags(dsn=dsn, projector_dsn=projector_dsn, embedded=embedded, issuers=issuers, issuer=issuer)
    run_on_issuer(database, work, actor=actor)
