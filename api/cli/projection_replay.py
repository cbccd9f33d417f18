"""`token-ledger projections replay` and `diff`: a projection as it was, and what changed in it since."""

from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from api.cli import flags
from api.cli.archive_folder import folder_of
from api.cli.exit_codes import CommandError, ExitCode
from api.cli.output import as_json, say
from api.cli.progress import events_done
from api.cli.projection_commands import Name, log_of, run_on_projection
from api.cli.projection_differences import show_differences
from api.cli.projection_verify import Rows
from api.cli.projections import projections
from api.settings import load_settings
from projections.building.replay import Changes, Point, Replayed, changes, replay
from projections.projection import Projection

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
def replay_(
    name: Name,
    *,
    until: Until,
    into: Into,
    archives: flags.Archives = None,
    json: flags.Json = False,
    owner_dsn: flags.OwnerDsn = None,
    dsn: flags.Dsn = None,
    embedded: flags.Embedded = None,
    issuers: flags.Issuers = None,
    issuer: flags.IssuerChoice = None,
) -> None:
    """Make a schema with the tables of a projection as they were at a point of the issuer's log, to query with SQL."""
    settings = load_settings({"owner_dsn": owner_dsn, "dsn": dsn, "embedded": embedded, "issuers": issuers})
    point = parse_point(until)

    async def work(dsn: str, projection: Projection) -> tuple[Replayed, Projection]:
        log_id = await log_of(dsn, settings, issuer)
        with ExitStack() as shown:
            return await replay(
                dsn,
                projection,
                log_id,
                until=point,
                schema=into,
                progress=lambda events: shown.enter_context(events_done("replaying", events)),
                archives=folder_of(archives),
            ), projection

    replayed, projection = run_on_projection(settings, name, work)
    if json:
        as_json(msgspec.to_builtins(replayed) | {"tables": projection.tables})
        return
    made = ", ".join(f"{replayed.quoted}.{table}" for table in projection.tables)
    say(f"{name} as of position {replayed.position} is in {made}")
    say(f"when you are done with it: DROP SCHEMA {replayed.quoted} CASCADE")


@projections.command("diff")
def diff(
    name: Name,
    *,
    from_: From,
    to: To,
    rows: Rows = 20,
    archives: flags.Archives = None,
    json: flags.Json = False,
    owner_dsn: flags.OwnerDsn = None,
    dsn: flags.Dsn = None,
    embedded: flags.Embedded = None,
    issuers: flags.Issuers = None,
    issuer: flags.IssuerChoice = None,
) -> None:
    """Show which rows of a projection changed between two points of the issuer's log, and how. Changes nothing."""
    settings = load_settings({"owner_dsn": owner_dsn, "dsn": dsn, "embedded": embedded, "issuers": issuers})
    points = parse_point(from_), parse_point(to)

    async def work(dsn: str, projection: Projection) -> Changes:
        log_id = await log_of(dsn, settings, issuer)
        with ExitStack() as shown:
            return await changes(
                dsn,
                projection,
                log_id,
                points=points,
                limit=rows,
                progress=lambda events: shown.enter_context(events_done("replaying", events)),
                archives=folder_of(archives),
            )

    found = run_on_projection(settings, name, work)
    if json:
        as_json(msgspec.to_builtins(found))
        return
    shown = found.differences.first
    if shown:
        show_differences(shown, only_before="went", only_after="came", both="changed")
        say()
    rest = "" if found.differences.count == len(shown) else f", of which the first {len(shown)} are shown"
    say(f"{found.differences.count:,} rows of {name} changed from position {found.first} to {found.last}{rest}")


def parse_point(text: str) -> Point:
    """A position, or an instant in ISO 8601 with its offset. Raises CommandError."""
    if text.isdecimal():
        return int(text)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        msg = f"{text!r} is neither a position nor an instant with its offset, such as 2026-01-31T12:00:00Z"
        raise CommandError(msg, ExitCode.USAGE)
    return instant.astimezone(UTC)
