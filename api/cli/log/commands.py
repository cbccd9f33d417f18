"""`token-ledger log`: an issuer's log as a whole; prove that it is sound, and what it consists of."""

from datetime import UTC, timedelta
from typing import Annotated

import msgspec
import typer

from api.cli import flags
from api.cli.context import LogDesk, log_command
from api.cli.exit_codes import ExitCode
from api.cli.output import format_instant, print_fields, print_json, print_result, print_table
from api.cli.progress import events_done
from api.operations.archive_folder import open_archive_folder
from ledger.domain.clock import utc_now
from ledger.postgres.log_statistics import LogStatistics, count_log
from ledger.postgres.log_verification import LogVerification, verify_log
from ledger.postgres.whole_log import LogBounds, read_log_bounds

log = typer.Typer(help="Prove that a log is sound, back it up, restore it.", no_args_is_help=True)

FindingsShown = Annotated[
    int, flags.of_command("FINDINGS", "--findings", min=1, help="How many findings are shown; all are counted.")
]
Days = Annotated[int, flags.of_command("DAYS", "--days", min=1, max=366, help="How many of the last days are shown.")]


@log.command("verify")
@log_command
async def verify_(
    desk: LogDesk, *, findings: FindingsShown = 20, archives: flags.Archives = None, json: flags.Json = False
) -> None:
    """Prove that the log is what it promises to be, from its first event to the newest as it starts.

    What is archived is read with --archives; without, what is left in the log of it is checked.
    """
    bounds = await read_log_bounds(desk.log)
    with events_done("verifying", bounds.head.position, passes=2) as done:
        found = await verify_log(desk.log, bounds, limit=findings, progress=done, folder=open_archive_folder(archives))
    if json:
        document = msgspec.to_builtins(found)
        print_json({"log": desk.log.name, "sound": found.sound} | document)
    else:
        _show_verification(desk, found)
    if not found.sound:
        raise typer.Exit(int(ExitCode.REFUSED))


@log.command("stats")
@log_command
async def stats(desk: LogDesk, *, days: Days = 7, json: flags.Json = False) -> None:
    """Show how much is in the log: events by topic and by day, streams, bytes."""
    bounds = await read_log_bounds(desk.log)
    with events_done("counting", bounds.head.position) as done:
        numbers = await count_log(desk.log, bounds, done)
    today = utc_now().astimezone(UTC).date()
    numbers.days = {day: numbers.days.get(day, 0) for day in (today - timedelta(days=ago) for ago in range(days))}
    if json:
        place = {"position": bounds.head.position, "archived_until": bounds.archived_until}
        print_json({"log": desk.log.name} | place | msgspec.to_builtins(numbers))
        return
    _show_statistics(desk, numbers, bounds)


def _show_verification(desk: LogDesk, found: LogVerification) -> None:
    if found.sound:
        print_result(f"log {desk.log.name!r} is sound: {found.events:,} events")
        if found.events < found.head.position:
            print_result(f"up to position {found.archived:,} it is archived; those files are verified with --archives")
        return
    print_table(("POSITION", "FINDING"), [(str(finding.position), finding.what) for finding in found.findings])
    print_result()
    shown = "" if found.count == len(found.findings) else f", of which the first {len(found.findings)} are shown"
    print_result(f"log {desk.log.name!r} is NOT sound: {found.count:,} findings in {found.events:,} events{shown}")


def _show_statistics(desk: LogDesk, numbers: LogStatistics, bounds: LogBounds) -> None:
    archived = {}
    if bounds.archives:
        archived["archived"] = (
            f"up to position {bounds.archived_until:,}; what is counted here is what the log has left"
        )
    print_fields(
        {
            "log": desk.log.name,
            **archived,
            "events": f"{numbers.events:,}",
            "streams": f"{numbers.streams:,}",
            "first": format_instant(numbers.first),
            "last": format_instant(numbers.last),
            "payloads": f"{numbers.payload_bytes:,} bytes",
            "table": f"{numbers.table_bytes:,} bytes, of all logs",
            "indexes": f"{numbers.index_bytes:,} bytes, of all logs",
        }
    )
    print_result()
    print_table(("TOPIC", "EVENTS"), [(topic, f"{count:,}") for topic, count in sorted(numbers.topics.items())])
    print_result()
    print_table(("DAY (UTC)", "EVENTS"), [(day.isoformat(), f"{count:,}") for day, count in numbers.days.items()])
