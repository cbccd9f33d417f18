"""`token-ledger log archive` and `archives`."""

import os
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from api.cli import flags
from api.cli.arguments import INSTANT_EXAMPLES, parse_past
from api.cli.context import CommandContext, DatabaseFlags, run_on_issuer
from api.cli.exit_codes import ExitCode
from api.cli.output import format_instant, print_json, print_result, print_table
from api.cli.progress import show_progress
from api.cli.projections.context import NICE_INCREMENT
from api.operations.archive_folder import ArchiveFolder, open_archive_folder
from api.operations.archive_log import ArchiveResult, archive_log
from ledger.domain.clock import utc_now
from ledger.domain.log_checks import LogFaults
from ledger.postgres.archive.verification import check_archives
from ledger.postgres.whole_log import LogBounds, check_bounds_unchanged, read_log_bounds

MAX_FINDINGS_SHOWN = 20

Before = Annotated[
    str,
    flags.option(
        "--before", f"Archive the events recorded before: {INSTANT_EXAMPLES}.", "INSTANT", variable="ARCHIVE_BEFORE"
    ),
]
To = Annotated[
    Path,
    flags.option(
        "--to",
        "Where to write the archive. If an earlier run was interrupted, its file must be there.",
        "FOLDER",
        variable="ARCHIVE_TO",
    ),
]


def archive(
    *,
    before: Before,
    to: To,
    json: flags.Json = False,
    owner_dsn: flags.OwnerDsn = None,
    dsn: flags.Dsn = None,
    embedded: flags.Embedded = None,
    issuers: flags.Issuers = None,
    issuer: flags.IssuerChoice = None,
) -> None:
    """Move old events to a compressed file while the service runs.

    The file holds every event recorded before the instant that no earlier archive holds. It is written, read back and
    compared with the log; only then the events of tokens that had ended by the instant are removed from the log. If it
    is interrupted or killed, the next run resumes it. It needs the role that owns the tables.
    """
    moment = parse_past(before, "--before", utc_now())

    async def work(context: CommandContext) -> tuple[str, ArchiveResult]:
        os.nice(NICE_INCREMENT)
        log = context.log
        return log.name, await archive_log(log, context.identifier.url, moment, ArchiveFolder(to), show_progress)

    database = DatabaseFlags(owner_dsn=owner_dsn, dsn=dsn, embedded=embedded, issuers=issuers, issuer=issuer)
    log_name, result = run_on_issuer(database, work, as_owner=True)
    if json:
        print_json({"log": log_name} | msgspec.to_builtins(result))
        return
    for file_name in result.finished:
        print_result(f"finished archive {file_name}, which an earlier run had begun")
    written = result.archive
    if written is None:
        print_result(f"all events recorded before {format_instant(moment)} are archived already")
    else:
        print_result(
            f"archived positions {written.first:,} to {written.last:,} of log {log_name!r} in {written.file_name}"
        )
        print_result(f"sha256 of the file  {written.file_sha256}")
    print_result(f"removed {result.events_removed:,} events from the log")


def list_archives(
    *,
    archives: flags.Archives = None,
    json: flags.Json = False,
    dsn: flags.Dsn = None,
    embedded: flags.Embedded = None,
    issuers: flags.Issuers = None,
    issuer: flags.IssuerChoice = None,
) -> None:
    """List the archives of the log. With --archives, verify that their files are complete."""
    findings = LogFaults(MAX_FINDINGS_SHOWN)

    async def work(context: CommandContext) -> tuple[str, LogBounds]:
        log = context.log
        bounds = await read_log_bounds(log)
        folder = open_archive_folder(archives)
        if folder is not None:
            with show_progress("verifying", bounds.archived_until) as progress:
                await check_archives(log, bounds, folder, findings.add, progress)
            await check_bounds_unchanged(log, bounds)
        return log.name, bounds

    log_name, bounds = run_on_issuer(DatabaseFlags(dsn=dsn, embedded=embedded, issuers=issuers, issuer=issuer), work)
    if json:
        found = {"findings": msgspec.to_builtins(findings.first), "count": findings.count}
        document = {"log": log_name, "archives": msgspec.to_builtins(bounds.archives)}
        print_json(document | (found if archives else {}))
    else:
        _print_archives(log_name, bounds, findings, verified=archives is not None)
    if findings.count:
        raise typer.Exit(int(ExitCode.REFUSED))


def _print_archives(log_name: str, bounds: LogBounds, findings: LogFaults, *, verified: bool) -> None:
    if not bounds.archives:
        print_result(f"log {log_name!r} has no archives")
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
        print_result(f"the archives of log {log_name!r} are NOT sound: {findings.count:,} findings")
    elif verified:
        print_result(f"the archives are sound: they hold every event up to position {bounds.archived_until:,}")
    else:
        print_result("the files were not verified; give their folder as --archives")
