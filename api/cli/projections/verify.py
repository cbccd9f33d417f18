"""`token-ledger projections verify`: prove that the rows of a projection are what the log says."""

from contextlib import ExitStack
from typing import Annotated

import msgspec
import typer

from api.cli import flags
from api.cli.exit_codes import ExitCode
from api.cli.output import print_json, print_result
from api.cli.progress import events_done
from api.cli.projections.commands import projections
from api.cli.projections.context import Name, ProjectionDesk, projection_command
from api.cli.projections.differences import show_differences
from api.operations.archive_folder import open_archive_folder
from projections.rebuilding.verification import ProjectionVerification, verify_projection

At = Annotated[
    int | None,
    flags.of_command(
        "AT_POSITION",
        "--at",
        metavar="POSITION",
        min=1,
        help="Compare once the rows are at this position of the issuer's log, or beyond. Default: where they are.",
    ),
]
Sample = Annotated[
    int | None,
    flags.of_command(
        "SAMPLE",
        "--sample",
        metavar="EVENTS",
        min=1,
        help="Look only at the streams of so many events of each log, chosen at random, and at rows of single streams.",
    ),
]
Rows = Annotated[
    int, flags.of_command("ROWS", "--rows", min=1, help="How many differing rows are shown; all are counted.")
]


@projections.command("verify")
@projection_command
async def verify_(
    desk: ProjectionDesk,
    name: Name,
    *,
    at: At = None,
    sample: Sample = None,
    rows: Rows = 20,
    archives: flags.Archives = None,
    json: flags.Json = False,
) -> None:
    """Replay the log beside the live rows and compare the two, both ways, while the service runs.

    Without --issuer every log is. It ends with 1 when a row is not what the log says.
    """
    with ExitStack() as shown:
        found = await verify_projection(
            desk.dsn,
            desk.projection,
            log_id=await desk.log_id() if desk.issuer is not None or at is not None else None,
            at=at,
            sample=sample,
            limit=rows,
            progress=lambda events: shown.enter_context(events_done("verifying", events)),
            archives=open_archive_folder(archives),
        )
    if json:
        print_json({"equal": found.equal} | msgspec.to_builtins(found, str_keys=True))
    else:
        _show(name, found)
    if not found.equal:
        raise typer.Exit(int(ExitCode.REFUSED))


def _show(name: str, found: ProjectionVerification) -> None:
    of_logs = ", ".join(f"log {log_id} at position {position}" for log_id, position in found.positions.items())
    place = f"{found.events:,} events looked at ({of_logs or 'no log'})"
    if found.equal:
        print_result(f"{name} is what the log says: {place} in {found.seconds:.1f} s")
        return
    shown = found.differences.first
    show_differences(shown, only_before="missing", only_after="not in the log", both="is not as in the log")
    print_result()
    rest = "" if found.differences.count == len(shown) else f", of which the first {len(shown)} are shown"
    print_result(f"{name} is NOT what the log says: {found.differences.count:,} rows differ{rest}; {place}")
