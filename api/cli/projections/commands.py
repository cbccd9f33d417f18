"""`token-ledger projections run`, `status`, `skip` and `rebuild`."""

import asyncio
from typing import Annotated

import msgspec
import typer

from api.cli.context import CommandContext, choose_issuer, open_issuers, run_on_issuer
from api.cli.exit_codes import ExitCode
from api.cli.flags import Reason, SharedFlags, option
from api.cli.output import print_fields, print_json, print_note, print_result
from api.cli.projections.context import Name, run_on_projection
from api.cli.projections.views import print_statuses, watch_statuses
from api.operations.errors import UsageError
from api.service.composition import get_process_name
from ledger.domain.recording import EventMapper
from projections.catalogue import catch_up_projections, inline_projections
from projections.following.skips import skip_event
from projections.rebuilding.estimate import RebuildEstimate, estimate_rebuild
from projections.rebuilding.rebuild import rebuild_projection

RATE_INTERVAL_SECONDS = 0.5
"""The time between the two readings from which a rate is computed."""

MetricsPort = Annotated[
    int | None,
    option(
        "--metrics-port",
        "Serve /metrics, /livez and /readyz on this port of --host; 0 takes a free one. Default: do not listen.",
        min=0,
        max=65535,
    ),
]
Watch = Annotated[bool, option("--watch", "Refresh every second, until Ctrl-C.")]
Position = Annotated[
    int, typer.Argument(metavar="POSITION", min=1, help="The position of the event at which it is stopped.")
]


def run(ctx: typer.Context, *, metrics_port: MetricsPort = None) -> None:
    """Keep the catch-up projections of every issuer up to date until SIGTERM or Ctrl-C.

    It also removes the rows of expired tokens, and compares all rows with the log. Any number of processes may run it,
    and 'serve' does it too: a lease lets one process at a time follow each projection of a log. If that process ends or
    hangs, another takes over within 5 seconds.
    """
    settings = ctx.obj.load_settings()
    from api.operations.serve import run_followers  # noqa: PLC0415 (imports the HTTP server, which is slow)

    if not run_followers(settings, metrics_port=metrics_port, report=print_note):
        raise typer.Exit(int(ExitCode.REFUSED))


def status(ctx: typer.Context, *, watch: Watch = False) -> None:
    """Show the state, position, lag, rate and lease holder of every projection of every issuer.

    The exit code is 1 if a projection is stopped or stale and needs an operator.
    """
    try:
        is_stalled = asyncio.run(_print_status(ctx.obj, watch=watch))
    except KeyboardInterrupt:
        if watch:
            return
        raise
    if is_stalled:
        raise typer.Exit(int(ExitCode.REFUSED))


async def _print_status(flags: SharedFlags, *, watch: bool) -> bool:
    settings = flags.load_settings()
    issuers = settings.issuer_identifiers()
    if flags.issuer is not None:
        issuers = (choose_issuer(issuers, flags.issuer),)
    async with open_issuers(settings, issuers) as service:
        if watch:
            await watch_statuses(service.projections, json=flags.json)
        return await print_statuses(service.projections, RATE_INTERVAL_SECONDS, json=flags.json)


def skip(ctx: typer.Context, name: Name, position: Position, *, reason: Reason) -> None:
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

    run_on_issuer(ctx.obj, work)


DryRun = Annotated[bool, option("--dry-run", "Estimate the work and its duration, and change nothing.")]
Restart = Annotated[bool, option("--restart", "Start over instead of resuming an interrupted rebuild.")]


def rebuild(ctx: typer.Context, name: Name, *, dry_run: DryRun = False, restart: Restart = False) -> None:
    """Rebuild a projection from the logs of all issuers while the service runs, then swap it in.

    It needs the role that owns the tables. If it is interrupted or killed, the next run resumes it.
    """
    if dry_run:
        expected = run_on_projection(
            ctx.obj, name, lambda context: estimate_rebuild(context.dsn, context.projection, ctx.obj.archives)
        )
        if ctx.obj.json:
            print_json(msgspec.to_builtins(expected))
        else:
            _print_estimate(expected)
        return
    rebuilt = run_on_projection(
        ctx.obj,
        name,
        lambda context: rebuild_projection(
            context.dsn,
            context.projection,
            holder=get_process_name(),
            progress=context.show_progress("building"),
            report=print_note,
            restart=restart,
            archives=ctx.obj.archives,
        ),
    )
    if ctx.obj.json:
        print_json(msgspec.to_builtins(rebuilt))
        return
    print_result(
        f"rebuilt {rebuilt.projection}, version {rebuilt.version}, from {rebuilt.events:,} events "
        f"in {rebuilt.seconds:.1f} s; the swap blocked requests for {rebuilt.locked_ms:.0f} ms"
    )


def _print_estimate(expected: RebuildEstimate) -> None:
    print_fields(
        {
            "would build": f"{expected.projection}, version {expected.version}",
            "from": f"{expected.events:,} events",
            "already done": f"{expected.resumes_at:,} events, by an interrupted rebuild",
            "into": f"{', '.join(expected.tables)}, {expected.bytes:,} bytes now",
            "in about": f"{expected.seconds:.0f} s, measured on {expected.sample:,} events",
        }
    )
    print_result()
    print_result("nothing was changed")
