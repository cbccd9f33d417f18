"""`token-ledger projections`: follow the log, see how the projections are, and have one pass over an event."""

import asyncio
from typing import Annotated

import typer

from api.cli import flags
from api.cli.context import LogChangeDesk, choose_issuer, log_change_command
from api.cli.database import open_database, service_config
from api.cli.exit_codes import ExitCode
from api.cli.output import print_result
from api.cli.projections.views import show_statuses, watch_statuses
from api.operations.errors import UsageError
from api.service.composition import start_service
from api.service.settings import Settings, load_settings
from ledger.domain.errors import Unavailable
from ledger.domain.recording import EventMapper
from projections.catalogue import catch_up_projections, inline_projections
from projections.following.skips import skip_event

PAUSE_SECONDS = 0.5
"""Between the two looks that a rate is taken from."""

projections = typer.Typer(help="Follow the log, and see to what follows it.", no_args_is_help=True)

MetricsPort = Annotated[
    int | None,
    flags.of_command(
        "METRICS_PORT",
        "--metrics-port",
        min=0,
        max=65535,
        help="Answer /metrics, /livez and /readyz at this port of --host; 0 takes a free one. Default: answer nobody.",
    ),
]
Watch = Annotated[bool, flags.of_command("WATCH", "--watch", help="Look again every second, until Ctrl-C.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The projection, as status names it.")]
Position = Annotated[int, typer.Argument(metavar="POSITION", min=1, help="The event that it is stopped at.")]


@projections.command("run")
def run(
    *,
    dsn: flags.Dsn = None,
    embedded: flags.Embedded = None,
    issuers: flags.Issuers = None,
    metrics_port: MetricsPort = None,
    host: flags.Host = None,
    sweep_seconds: flags.SweepSeconds = None,
    pool_size: flags.PoolSize = None,
    log_format: flags.LogFormat = None,
    log_level: flags.LogLevel = None,
) -> None:
    """Keep the projections that follow the log up to date until SIGTERM or Ctrl-C, for every issuer.

    It removes the rows of expired tokens too. Any number of processes may run it, and serve does it too: one at a time
    follows a projection of a log, and when that one ends or hangs another takes over within 5 seconds.
    """
    given = dict(locals())
    settings = load_settings({name: given[name] for name in Settings.model_fields if name in given})
    from api.cli.projections.run import run_followers  # noqa: PLC0415 (the HTTP server, slow to load)

    run_followers(settings, metrics_port=metrics_port)


@projections.command("status")
def status(
    *,
    watch: Watch = False,
    json: flags.Json = False,
    dsn: flags.Dsn = None,
    embedded: flags.Embedded = None,
    issuers: flags.Issuers = None,
    issuer: flags.IssuerChoice = None,
) -> None:
    """Show how every projection of every issuer is: how far, how fast, who follows, what stopped it.

    Ends with 1 when one is stopped or stale, and so needs a person.
    """
    settings = load_settings({"dsn": dsn, "embedded": embedded, "issuers": issuers})
    try:
        is_stalled = asyncio.run(_status(settings, issuer, watch=watch, json=json))
    except KeyboardInterrupt:
        if watch:
            return
        raise
    if is_stalled:
        raise typer.Exit(int(ExitCode.REFUSED))


async def _status(settings: Settings, issuer: str | None, *, watch: bool, json: bool) -> bool:
    identifiers = settings.issuer_identifiers()
    if issuer is not None:
        identifiers = (choose_issuer(identifiers, issuer),)
    async with open_database(settings) as database:
        service = await start_service(service_config(settings, database.service_dsn, identifiers))
        try:
            if problems := await service.problems():
                raise Unavailable("\n".join(problems))
            if watch:
                await watch_statuses(service.projections, json=json)
            return await show_statuses(service.projections, PAUSE_SECONDS, json=json)
        finally:
            await service.close()


@projections.command("skip")
@log_change_command
async def skip(desk: LogChangeDesk, name: Name, position: Position, *, reason: flags.Reason) -> None:
    """Have a projection pass over the event that it is stopped at, for ever. Mend the code instead if you can.

    What the event says will be missing from the projection, also when that is built anew. Nobody can take it back.
    """
    mapper = EventMapper()
    if name not in (names := [projection.name for projection in catch_up_projections(mapper)]):
        inline = name in {projection.name for projection in inline_projections(mapper)}
        why = "is written with every append and never stops" if inline else "is no projection"
        msg = f"{name!r} {why}; those that follow the log are: {', '.join(names)}"
        raise UsageError(msg)
    if not reason.strip():
        msg = "--reason (TOKEN_LEDGER_REASON): say why; auditors will read it"
        raise UsageError(msg)
    log_id = await desk.log.find_id()
    skipped = await skip_event(desk.log.database, log_id, name, position, reason=reason.strip(), actor=desk.cause.actor)
    print_result(f"{name} passes over position {position} of log {desk.log.name!r}, {skipped.topic}")
    if skipped.error:
        print_result(f"it could not be applied: {skipped.error}")
