"""`token-ledger log`: verify, measure, export, import and archive the log of an issuer."""

import os
from datetime import UTC, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from api.cli.arguments import INSTANT_EXAMPLES, parse_past
from api.cli.context import CommandContext, run_on_issuer
from api.cli.exit_codes import ExitCode
from api.cli.flags import option
from api.cli.output import format_instant, print_fields, print_json, print_note, print_result, print_table
from api.cli.progress import show_progress
from api.cli.projections.context import NICE_INCREMENT
from api.operations.archive_folder import ArchiveFolder
from api.operations.archive_log import ArchiveResult, archive_log
from api.operations.export_files import STANDARD_STREAM
from api.operations.export_log import export_log as run_export
from api.operations.export_log import import_log as run_import
from ledger.archive.export_format import ExportHeader
from ledger.domain.clock import utc_now
from ledger.domain.log_checks import LogFaults
from ledger.postgres.archive.verification import check_archives
from ledger.postgres.log_statistics import LogStatistics, count_log
from ledger.postgres.log_verification import LogVerification, verify_log
from ledger.postgres.whole_log import LogBounds, check_bounds_unchanged, read_log_bounds

FindingsShown = Annotated[int, option("--findings", "How many findings are shown; all are counted.", min=1)]
Days = Annotated[int, option("--days", "How many of the last days are shown.", min=1, max=366)]


def verify(ctx: typer.Context, *, findings: FindingsShown = 20) -> None:
    """Verify that the log is complete and consistent, from its first event to the newest at the start.

    Archived events are read from --archives. Without it, only the events still in the log are verified.
    """

    async def work(context: CommandContext) -> tuple[str, LogVerification]:
        log = context.log
        bounds = await read_log_bounds(log)
        with show_progress("verifying", bounds.head.position, passes=2) as progress:
            archives = ctx.obj.archives
            return log.name, await verify_log(log, bounds, limit=findings, progress=progress, folder=archives)

    log_name, found = run_on_issuer(ctx.obj, work)
    if ctx.obj.json:
        print_json({"log": log_name, "sound": found.sound} | msgspec.to_builtins(found))
    else:
        _print_verification(log_name, found)
    if not found.sound:
        raise typer.Exit(int(ExitCode.REFUSED))


def stats(ctx: typer.Context, *, days: Days = 7) -> None:
    """Count the events of the log by topic and by day, its streams and its bytes."""

    async def work(context: CommandContext) -> tuple[str, LogStatistics, LogBounds]:
        bounds = await read_log_bounds(context.log)
        with show_progress("counting", bounds.head.position) as progress:
            return context.log.name, await count_log(context.log, bounds, progress), bounds

    log_name, numbers, bounds = run_on_issuer(ctx.obj, work)
    today = utc_now().astimezone(UTC).date()
    numbers.days = {day: numbers.days.get(day, 0) for day in (today - timedelta(days=ago) for ago in range(days))}
    if ctx.obj.json:
        positions = {"position": bounds.head.position, "archived_until": bounds.archived_until}
        print_json({"log": log_name} | positions | msgspec.to_builtins(numbers))
    else:
        _print_statistics(log_name, numbers, bounds)


def _print_verification(log_name: str, found: LogVerification) -> None:
    if found.sound:
        print_result(f"log {log_name!r} is sound: {found.events:,} events")
        if found.events < found.head.position:
            print_result(f"events up to position {found.archived:,} are archived; verify them with --archives")
        return
    print_table(("POSITION", "FINDING"), [(str(finding.position), finding.what) for finding in found.findings])
    print_result()
    shown = "" if found.count == len(found.findings) else f", of which the first {len(found.findings)} are shown"
    print_result(f"log {log_name!r} is NOT sound: {found.count:,} findings in {found.events:,} events{shown}")


def _print_statistics(log_name: str, numbers: LogStatistics, bounds: LogBounds) -> None:
    archived = {}
    if bounds.archives:
        archived["archived"] = f"up to position {bounds.archived_until:,}; only events still in the log are counted"
    print_fields(
        {
            "log": log_name,
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


Target = Annotated[
    str,
    typer.Argument(
        metavar="FILE", help=f"The file to write, compressed if its name ends in .gz; {STANDARD_STREAM} is stdout."
    ),
]
Source = Annotated[
    str, typer.Argument(metavar="FILE", help=f"The export to read, compressed or not; {STANDARD_STREAM} is stdin.")
]
After = Annotated[
    int,
    option("--after", "Export only events after this position.", "POSITION", variable="AFTER_POSITION", min=0),
]
Until = Annotated[
    int | None,
    option("--until", "Export only events up to this position.", "POSITION", variable="UNTIL_POSITION", min=1),
]
Compress = Annotated[bool, option("--compress", "Compress with gzip, whatever the name of the file.")]
Force = Annotated[bool, option("--force", "Replace an existing file.")]


def export_log(
    ctx: typer.Context,
    file: Target,
    *,
    after: After = 0,
    until: Until = None,
    compress: Compress = False,
    force: Force = False,
) -> None:
    """Write the log to a file: a complete backup, including digests of tokens and hashes of secrets.

    Archived events are read from --archives. Without it, the export must start --after the archived events.
    """
    header, end = run_on_issuer(
        ctx.obj,
        lambda context: run_export(
            context.log,
            context.identifier.url,
            file,
            after=after,
            until=until,
            archives=ctx.obj.archives,
            compress=compress,
            force=force,
            show_progress=show_progress,
        ),
    )
    print_line = print_note if file == STANDARD_STREAM else print_result
    print_line(f"exported {end.events:,} events of log {header.log!r}, up to position {header.until}")
    print_line(f"sha256 of the events  {end.events_sha256}")


def import_log(ctx: typer.Context, file: Source) -> None:
    """Restore an export into the issuer's empty log. An invalid export is refused as a whole.

    It needs the role that owns the tables.
    """

    async def work(context: CommandContext) -> tuple[str, ExportHeader]:
        return context.log.name, await run_import(context.log, file, show_progress)

    log_name, header = run_on_issuer(ctx.obj, work, as_owner=True)
    if ctx.obj.json:
        print_json({"log": log_name, "events": header.until, "exported_from": header.issuer})
        return
    print_result(f"imported {header.until:,} events into log {log_name!r}")
    print_result(f"exported from {header.issuer} at {format_instant(header.exported_at)}")


MAX_FINDINGS_SHOWN = 20

Before = Annotated[
    str,
    option(
        "--before", f"Archive the events recorded before: {INSTANT_EXAMPLES}.", "INSTANT", variable="ARCHIVE_BEFORE"
    ),
]
To = Annotated[
    Path,
    option(
        "--to",
        "Where to write the archive. If an earlier run was interrupted, its file must be there.",
        "FOLDER",
        variable="ARCHIVE_TO",
    ),
]


def archive(ctx: typer.Context, *, before: Before, to: To) -> None:
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

    log_name, result = run_on_issuer(ctx.obj, work, as_owner=True)
    if ctx.obj.json:
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


def list_archives(ctx: typer.Context) -> None:
    """List the archives of the log. With --archives, verify that their files are complete."""
    findings = LogFaults(MAX_FINDINGS_SHOWN)

    async def work(context: CommandContext) -> tuple[str, LogBounds]:
        log = context.log
        bounds = await read_log_bounds(log)
        if ctx.obj.archives is not None:
            with show_progress("verifying", bounds.archived_until) as progress:
                await check_archives(log, bounds, ctx.obj.archives, findings.add, progress)
            await check_bounds_unchanged(log, bounds)
        return log.name, bounds

    log_name, bounds = run_on_issuer(ctx.obj, work)
    if ctx.obj.json:
        found = {"findings": msgspec.to_builtins(findings.first), "count": findings.count}
        document = {"log": log_name, "archives": msgspec.to_builtins(bounds.archives)}
        print_json(document | (found if ctx.obj.archives else {}))
    else:
        _print_archives(log_name, bounds, findings, verified=ctx.obj.archives is not None)
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
