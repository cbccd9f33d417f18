"""`token-ledger projections verify`, `replay` and `diff`: compare a projection with the log, now or in the past."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer

from api.cli.arguments import parse_past_or_position
from api.cli.exit_codes import ExitCode
from api.cli.flags import option
from api.cli.output import print_json, print_result, print_table
from api.cli.projections.context import Name, ProjectionContext, Rows, run_on_projection
from ledger.domain.clock import utc_now
from projections.rebuilding.comparison import Difference
from projections.rebuilding.replay import ProjectionChanges, ReplayResult, find_changes, replay_projection
from projections.rebuilding.verification import ProjectionVerification, verify_projection

POINT = "POSITION|INSTANT"

At = Annotated[
    int | None,
    option(
        "--at",
        "Wait until the projection has applied this position of the issuer's log. Default: do not wait.",
        "POSITION",
        variable="AT_POSITION",
        min=1,
    ),
]
Sample = Annotated[
    int | None,
    option(
        "--sample",
        "Check only the streams of this many random events per log, and only rows of single streams.",
        "EVENTS",
        min=1,
    ),
]
Until = Annotated[str, option("--until", "The last position to replay, or the last instant of recording.", POINT)]
Into = Annotated[str, option("--into", "The schema to create; it must not exist.", "SCHEMA")]
From = Annotated[str, option("--from", "The earlier point.", POINT)]
To = Annotated[str, option("--to", "The later point.", POINT)]


def verify(ctx: typer.Context, name: Name, *, at: At = None, sample: Sample = None, rows: Rows = 20) -> None:
    """Replay the log and compare the result with the live rows, in both directions, while the service runs.

    Without --issuer it checks every log. The exit code is 1 if a row differs from the log.
    """

    async def work(context: ProjectionContext) -> ProjectionVerification:
        one_log = ctx.obj.issuer is not None or at is not None
        return await verify_projection(
            context.dsn,
            context.projection,
            log_id=await context.find_log_id() if one_log else None,
            at=at,
            sample=sample,
            limit=rows,
            progress=context.show_progress("verifying"),
            archives=ctx.obj.archives,
        )

    found = run_on_projection(ctx.obj, name, work)
    if ctx.obj.json:
        print_json({"equal": found.equal} | msgspec.to_builtins(found, str_keys=True))
    else:
        _print_verification(name, found)
    if not found.equal:
        raise typer.Exit(int(ExitCode.REFUSED))


def replay(ctx: typer.Context, name: Name, *, until: Until, into: Into) -> None:
    """Create a schema with a projection's tables as of a point of the issuer's log, to query with SQL."""
    point = parse_past_or_position(until, "--until", utc_now())

    async def work(context: ProjectionContext) -> tuple[ReplayResult, Sequence[str]]:
        replayed = await replay_projection(
            context.dsn,
            context.projection,
            await context.find_log_id(),
            until=point,
            schema=into,
            progress=context.show_progress("replaying"),
            archives=ctx.obj.archives,
        )
        return replayed, context.projection.tables

    replayed, tables = run_on_projection(ctx.obj, name, work)
    if ctx.obj.json:
        print_json(msgspec.to_builtins(replayed) | {"tables": tables})
        return
    created = ", ".join(f"{replayed.quoted}.{table}" for table in tables)
    print_result(f"{name} as of position {replayed.position} is in {created}")
    print_result(f"to remove it: DROP SCHEMA {replayed.quoted} CASCADE")


def diff(ctx: typer.Context, name: Name, *, from_: From, to: To, rows: Rows = 20) -> None:
    """Show which rows of a projection changed between two points of the issuer's log, and how. It changes nothing."""
    now = utc_now()
    points = parse_past_or_position(from_, "--from", now), parse_past_or_position(to, "--to", now)

    async def work(context: ProjectionContext) -> ProjectionChanges:
        return await find_changes(
            context.dsn,
            context.projection,
            await context.find_log_id(),
            points=points,
            limit=rows,
            progress=context.show_progress("replaying"),
            archives=ctx.obj.archives,
        )

    found = run_on_projection(ctx.obj, name, work)
    if ctx.obj.json:
        print_json(msgspec.to_builtins(found))
        return
    first, count = found.differences.first, found.differences.count
    if first:
        _print_differences(first, only_before="removed", only_after="added", both="changed")
        print_result()
    positions = f"from position {found.first} to {found.last}"
    print_result(f"{_count_rows(count)} of {name} changed {positions}{_shown_of(count, len(first))}")


def _print_verification(name: str, found: ProjectionVerification) -> None:
    positions = ", ".join(f"log {log_id} at position {position}" for log_id, position in found.positions.items())
    scope = f"{found.events:,} events checked ({positions or 'no log'})"
    if found.equal:
        print_result(f"{name} matches the log: {scope} in {found.seconds:.1f} s")
        return
    first, count = found.differences.first, found.differences.count
    _print_differences(first, only_before="missing", only_after="not in the log", both="differs")
    print_result()
    verb = "differs" if count == 1 else "differ"
    print_result(f"{name} does NOT match the log: {_count_rows(count)} {verb}{_shown_of(count, len(first))}; {scope}")


def _print_differences(found: Sequence[Difference], *, only_before: str, only_after: str, both: str) -> None:
    """Print one row per difference, with its key and the columns that differ."""
    rows = []
    for difference in found:
        before, after = difference.before, difference.after
        what, columns = only_before if after is None else only_after, ""
        if before is not None and after is not None:
            pairs = [(name, *("-" if v is None else v for v in (before[name], after[name]))) for name in before]
            what, columns = both, "; ".join(f"{name}: {old} -> {new}" for name, old, new in pairs)
        key = " ".join(f"{column}={value}" for column, value in difference.key.items())
        rows.append((difference.table, what, key, columns))
    print_table(("TABLE", "ROW", "KEY", "COLUMNS"), rows)


def _count_rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _shown_of(count: int, shown: int) -> str:
    return "" if count == shown else f" (the first {shown} are shown)"
