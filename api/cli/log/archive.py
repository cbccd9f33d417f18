"""`token-ledger log archive` and `archives`: move closed, old history to files, and see that they are whole."""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec import Struct

from api.cli import flags
from api.cli.context import LogDesk, log_command, log_owner_command
from api.cli.exit_codes import ExitCode
from api.cli.log.commands import log
from api.cli.output import format_instant, print_json, print_result, print_table
from api.cli.progress import events_done
from api.cli.projections.context import NICE
from api.cli.times import EXAMPLES, moment_of_past
from api.operations.archive_folder import FolderOfArchives, folder_of
from api.operations.errors import OperationError
from api.operations.export_files import archive_to_read, archive_to_write
from ledger.archive.export_format import ArchiveWriter
from ledger.archive.export_reader import ArchiveReader
from ledger.domain.clock import utc_now
from ledger.domain.errors import InvalidArchive
from ledger.domain.log_checks import Findings
from ledger.domain.recording import EventMapper
from ledger.postgres.archive.catalogue import Archive
from ledger.postgres.archive.removal import remove
from ledger.postgres.archive.selection import Part, check_sound, check_written, next_part, only_archiver, write_down
from ledger.postgres.archive.verification import check_archives
from ledger.postgres.database import Connection
from ledger.postgres.whole_log import Extent, check_unmoved, extent_of, pages_kept
from projections.catalogue import catch_up_projections

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
        help="Where to write the archive. One that was begun before has to be there.",
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
    moved = await move(desk, moment, FolderOfArchives(to))
    if json:
        print_json({"log": desk.log.name} | msgspec.to_builtins(moved))
        return
    for file_name in moved.finished:
        print_result(f"went on with archive {file_name}, which was begun before")
    written = moved.archive
    if written is None:
        print_result(f"nothing that was recorded before {format_instant(moment)} is left to archive")
    else:
        positions = f"positions {written.first:,} to {written.last:,}"
        print_result(f"archived {positions} of log {desk.log.name!r} in {written.file_name}")
        print_result(f"sha256 of the file  {written.file_sha256}")
    print_result(f"removed {moved.events_removed:,} events from the log")


class Moved(Struct, frozen=True):
    """What came of archiving: the archive that was written, None when there was nothing to.

    `finished` are those that were written before, and of which the rest was removed now.
    """

    archive: Archive | None
    finished: Sequence[str]
    events_removed: int


async def move(desk: LogDesk, before: datetime, folder: FolderOfArchives) -> Moved:
    """Finish what was begun, then archive what was recorded before an instant and is not archived yet.

    Raises OperationError, NotArchivable, NoLog, Unavailable.
    """
    async with only_archiver(desk.log) as (connection, extent):
        gone = 0
        unfinished = [archive for archive in extent.archives if archive.removed_at is None]
        for begun in unfinished:
            gone += await _finish(connection, extent, begun, folder)
        written = None
        part = await next_part(connection, extent, before, _followers())
        if part is not None:
            written = await _write(connection, desk, extent, part, folder)
            gone += await _remove(connection, extent, written)
    return Moved(written, [begun.file_name for begun in unfinished], gone)


@log.command("archives")
@log_command
async def archives_(desk: LogDesk, *, archives: flags.Archives = None, json: flags.Json = False) -> None:
    """List what of the log is archived; with --archives read the files, and prove that they are whole."""
    extent = await extent_of(desk.log)
    findings = Findings(FINDINGS)
    folder = folder_of(archives)
    if folder is not None:
        with events_done("verifying", extent.archived_until) as done:
            await check_archives(desk.log, extent, folder, findings.add, done)
        await check_unmoved(desk.log, extent)
    if json:
        found = {"findings": msgspec.to_builtins(findings.first), "count": findings.count}
        print_json({"log": desk.log.name, "archives": msgspec.to_builtins(extent.archives)} | (found if folder else {}))
    else:
        _show(desk, extent, findings, verified=folder is not None)
    if findings.count:
        raise typer.Exit(int(ExitCode.REFUSED))


async def _finish(connection: Connection, extent: Extent, unfinished: Archive, folder: FolderOfArchives) -> int:
    """Go on with the removal of what is written down already, if its file is at hand."""
    try:
        with folder.lines(unfinished):
            pass
    except InvalidArchive as error:
        msg = f"{error}\nRemoving what it holds was begun, and does not go on without it: give its folder as --to."
        raise OperationError(msg) from error
    return await _remove(connection, extent, unfinished)


async def _write(
    connection: Connection, desk: LogDesk, extent: Extent, part: Part, folder: FolderOfArchives
) -> Archive:
    events = part.end.position - part.after
    with events_done("checking", part.end.position, passes=2) as done:
        await check_sound(desk.log, extent, part, done)
    name = part.file_name(desk.log.name)
    if not folder.file(name).exists():
        header = part.header(
            issuer=desk.identifier.url, log=desk.log.name, head=extent.head.position, exported_at=utc_now()
        )
        lines = ArchiveWriter(header)
        with events_done("writing", events) as done, archive_to_write(str(folder.file(name))) as write:
            write(lines.header())
            async for page in pages_kept(desk.log, extent, part.after, part.end.position):
                write(b"".join(map(lines.event, page)))
                done(len(page))
            write(lines.end()[0])
    # One that is there was written by a run that was killed, or is something else: comparing tells.
    try:
        folder.make_durable(name)
        file_sha256 = folder.sha256(name)
        with events_done("reading back", events) as done, archive_to_read(str(folder.file(name))) as written:
            events_sha256 = await check_written(desk.log, extent, part, ArchiveReader(written), done)
    except InvalidArchive as error:
        msg = f"{folder.file(name)} does not hold what it should: {error}\nNothing was removed. Move that file away."
        raise OperationError(msg) from error
    return await write_down(
        connection,
        extent,
        part,
        file_name=name,
        file_sha256=file_sha256,
        events_sha256=events_sha256,
        followers=_followers(),
    )


async def _remove(connection: Connection, extent: Extent, archive: Archive) -> int:
    with events_done("removing", archive.last) as done:
        return await remove(connection, extent.log_id, archive, EventMapper(), done)


def _followers() -> list[str]:
    return [projection.name for projection in catch_up_projections(EventMapper())]


def _show(desk: LogDesk, extent: Extent, findings: Findings, *, verified: bool) -> None:
    if not extent.archives:
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
            for archive in extent.archives
        ],
    )
    print_result()
    if findings.count:
        print_table(("POSITION", "FINDING"), [(str(finding.position), finding.what) for finding in findings.first])
        print_result()
        print_result(f"the archives of log {desk.log.name!r} are NOT sound: {findings.count:,} findings")
    elif verified:
        print_result(f"the archives are sound: they hold every event up to position {extent.archived_until:,}")
    else:
        print_result("the files were not looked at; give their folder as --archives")
