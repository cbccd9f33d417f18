"""`token-ledger log archive` and `archives`: move closed, old history to files, and see that they are whole."""

import os
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from api.cli import flags
from api.cli.context import LogDesk, log_command, log_owner_command
from api.cli.exit_codes import ExitCode
from api.cli.log.commands import log
from api.cli.output import format_instant, print_json, print_result, print_table
from api.cli.progress import events_done
from api.cli.projections.context import NICE
from api.cli.times import EXAMPLES, moment_of_past
from api.operations.archive_folder import ArchiveFolder, open_archive_folder
from api.operations.archive_log import archive_log
from ledger.domain.clock import utc_now
from ledger.domain.log_checks import LogFaults
from ledger.postgres.archive.verification import check_archives
from ledger.postgres.whole_log import LogBounds, check_bounds_unchanged, read_log_bounds

Before = Annotated[
    str,
    flags.of_command(
        "ARCHIVE_BEFORE", "--before", metavar="INSTANT", help=f"Archive what was recorded before then: {EXAMPLES}."
    ),
]
To = Annotated[
    Path,
    flags.of_command(
        "ARCHIVE_TO",
        "--to",
        metavar="FOLDER",
        help="Where to write the archive. If an earlier run was interrupted, its file must be there.",
    ),
]
FINDINGS = 20


@log.command("archive")
@log_owner_command
async def archive(desk: LogDesk, *, before: Before, to: To, json: flags.Json = False) -> None:
    """Move closed, old history to a compressed file, while the service runs.

    The file has every event recorded before then that no other archive has. It is written, read back and compared with
    the log before anything is removed. What is removed are the events of tokens that had expired or were revoked by
    then. Interrupted or killed, the next one goes on from there. It needs the role that owns the tables.
    """
    moment = moment_of_past(before, "--before", utc_now())
    os.nice(NICE)
    result = await archive_log(desk.log, desk.identifier.url, moment, ArchiveFolder(to), events_done)
    if json:
        print_json({"log": desk.log.name} | msgspec.to_builtins(result))
        return
    for file_name in result.finished:
        print_result(f"finished archive {file_name}, which an earlier run had begun")
    written = result.archive
    if written is None:
        print_result(f"all events recorded before {format_instant(moment)} are archived already")
    else:
        print_result(
            f"archived positions {written.first:,} to {written.last:,} of log {desk.log.name!r} in {written.file_name}"
        )
        print_result(f"sha256 of the file  {written.file_sha256}")
    print_result(f"removed {result.events_removed:,} events from the log")


@log.command("archives")
@log_command
async def archives_(desk: LogDesk, *, archives: flags.Archives = None, json: flags.Json = False) -> None:
    """List what of the log is archived; with --archives read the files, and prove that they are whole."""
    bounds = await read_log_bounds(desk.log)
    findings = LogFaults(FINDINGS)
    folder = open_archive_folder(archives)
    if folder is not None:
        with events_done("verifying", bounds.archived_until) as done:
            await check_archives(desk.log, bounds, folder, findings.add, done)
        await check_bounds_unchanged(desk.log, bounds)
    if json:
        found = {"findings": msgspec.to_builtins(findings.first), "count": findings.count}
        print_json({"log": desk.log.name, "archives": msgspec.to_builtins(bounds.archives)} | (found if folder else {}))
    else:
        _show(desk, bounds, findings, verified=folder is not None)
    if findings.count:
        raise typer.Exit(int(ExitCode.REFUSED))


def _show(desk: LogDesk, bounds: LogBounds, findings: LogFaults, *, verified: bool) -> None:
    if not bounds.archives:
        print_result(f"nothing of log {desk.log.name!r} is archived")
        return
    print_table(
        ("POSITIONS", "RECORDED UNTIL", "ARCHIVED", "REMOVED FROM THE LOG", "FILE"),
        [
            (
                f"{archive.first:,} to {archive.last:,}",
                format_instant(archive.last_recorded_at),
                format_instant(archive.archived_at),
                format_instant(archive.removed_at) if archive.removed_at else "not yet: run 'log archive' again",
                archive.file_name,
            )
            for archive in bounds.archives
        ],
    )
    print_result()
    if findings.count:
        print_table(("POSITION", "FINDING"), [(str(finding.position), finding.what) for finding in findings.first])
        print_result()
        print_result(f"the archives of log {desk.log.name!r} are NOT sound: {findings.count:,} findings")
    elif verified:
        print_result(f"the archives are sound: they hold every event up to position {bounds.archived_until:,}")
    else:
        print_result("the files were not looked at; give their folder as --archives")
