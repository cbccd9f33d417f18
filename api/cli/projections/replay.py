"""`token-ledger projections replay` and `diff`: a projection as it was, and what changed in it since."""

from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from api.cli import flags
from api.cli.output import print_json, print_result
from api.cli.progress import events_done
from api.cli.projections.commands import projections
from api.cli.projections.context import Name, ProjectionDesk, projection_command
from api.cli.projections.differences import show_differences
from api.cli.projections.verify import Rows
from api.operations.archive_folder import open_archive_folder
from api.operations.errors import UsageError
from projections.rebuilding.replay import LogPoint, find_changes, replay_projection

POINT = "POSITION|INSTANT"

Until = Annotated[
    str,
    flags.of_command(
        "UNTIL", "--until", metavar=POINT, help="As of this position of the log, or all recorded by this instant."
    ),
]
Into = Annotated[
    str,
    flags.of_command("INTO", "--into", metavar="SCHEMA", help="The schema to make; there must be none of that name."),
]
From = Annotated[str, flags.of_command("FROM", "--from", metavar=POINT, help="The earlier point.")]
To = Annotated[str, flags.of_command("TO", "--to", metavar=POINT, help="The later point.")]


@projections.command("replay")
@projection_command
async def replay_(
    desk: ProjectionDesk,
    name: Name,
    *,
    until: Until,
    into: Into,
    archives: flags.Archives = None,
    json: flags.Json = False,
) -> None:
    """Make a schema with the tables of a projection as they were at a point of the issuer's log, to query with SQL."""
    point = parse_point(until)
    with ExitStack() as shown:
        replayed = await replay_projection(
            desk.dsn,
            desk.projection,
            await desk.log_id(),
            until=point,
            schema=into,
            progress=lambda events: shown.enter_context(events_done("replaying", events)),
            archives=open_archive_folder(archives),
        )
    if json:
        print_json(msgspec.to_builtins(replayed) | {"tables": desk.projection.tables})
        return
    made = ", ".join(f"{replayed.quoted}.{table}" for table in desk.projection.tables)
    print_result(f"{name} as of position {replayed.position} is in {made}")
    print_result(f"when you are done with it: DROP SCHEMA {replayed.quoted} CASCADE")


@projections.command("diff")
@projection_command
async def diff(
    desk: ProjectionDesk,
    name: Name,
    *,
    from_: From,
    to: To,
    rows: Rows = 20,
    archives: flags.Archives = None,
    json: flags.Json = False,
) -> None:
    """Show which rows of a projection changed between two points of the issuer's log, and how. Changes nothing."""
    points = parse_point(from_), parse_point(to)
    with ExitStack() as shown:
        found = await find_changes(
            desk.dsn,
            desk.projection,
            await desk.log_id(),
            points=points,
            limit=rows,
            progress=lambda events: shown.enter_context(events_done("replaying", events)),
            archives=open_archive_folder(archives),
        )
    if json:
        print_json(msgspec.to_builtins(found))
        return
    first = found.differences.first
    if first:
        show_differences(first, only_before="went", only_after="came", both="changed")
        print_result()
    rest = "" if found.differences.count == len(first) else f", of which the first {len(first)} are shown"
    positions = f"from position {found.first} to {found.last}"
    print_result(f"{found.differences.count:,} rows of {name} changed {positions}{rest}")


def parse_point(text: str) -> LogPoint:
    """A position, or an instant in ISO 8601 with its offset. Raises OperationError."""
    if text.isdecimal():
        return int(text)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        msg = f"{text!r} is neither a position nor an instant with its offset, such as 2026-01-31T12:00:00Z"
        raise UsageError(msg)
    return instant.astimezone(UTC)
