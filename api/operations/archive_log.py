"""Archive a log: move its closed, old history to a file, in an order that survives a crash at any point.

1. Choose the next range of positions, and check that the log is sound up to its end.
2. Write the range to a file, sync it, read it back and compare it with the table, row by row.
3. Record the file in `log_archives`.
4. Remove the rows, a few streams at a time.

After a crash the database has either all rows, or a recorded file that holds them. The next run first finishes what
an earlier one recorded but did not remove completely.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime

from msgspec import Struct

from api.operations.archive_folder import ArchiveFolder
from api.operations.export_files import open_export_to_read, open_export_to_write, write_export
from ledger.archive.export_format import ExportHeader, build_header
from ledger.archive.export_reader import ExportReader
from ledger.domain.clock import utc_now
from ledger.domain.errors import InvalidExport, NotArchivable
from ledger.domain.recording import EventMapper
from ledger.postgres.archive.catalogue import ArchivedRange
from ledger.postgres.archive.removal import remove_archived_streams
from ledger.postgres.archive.selection import check_log_is_sound, choose_next_range, lock_archiving, record_archive
from ledger.postgres.archive.verification import compare_with_log
from ledger.postgres.logs import Log
from ledger.postgres.whole_log import LogBounds, Progress, read_remaining_pages
from projections.catalogue import catch_up_projections

ShowProgress = Callable[..., AbstractContextManager[Progress]]
"""Shows the progress of a named step of so many events, each counted `passes` times."""


class ArchiveFileMissing(NotArchivable):
    """An earlier run did not finish, and the file it recorded is missing or altered."""

    def __init__(self, file_name: str, reason: str) -> None:
        super().__init__(
            f"{reason}\nAn earlier run recorded this file but did not remove all its events from the log. "
            "To finish, it needs the file: give its folder as --to."
        )
        self.file_name = file_name


class ArchiveFileDiffers(NotArchivable):
    """The file to record does not hold what the log holds."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"{path} does not match the log: {reason}\nNothing was removed. Move that file away, and run this again."
        )
        self.path = path


class ArchiveResult(Struct, frozen=True):
    """The archive that was written, None when there was nothing to archive, and how many events left the log.

    `finished` names the files of earlier, interrupted runs whose events were removed now.
    """

    archive: ArchivedRange | None
    finished: Sequence[str]
    events_removed: int


async def archive_log(
    log: Log, issuer_url: str, before: datetime, folder: ArchiveFolder, show_progress: ShowProgress
) -> ArchiveResult:
    """Finish interrupted runs, then archive what was recorded before an instant and is not archived yet.

    Raises NotArchivable, ExportFileError, NoLog, Unavailable.
    """
    followers = [projection.name for projection in catch_up_projections(EventMapper())]
    async with lock_archiving(log) as (connection, bounds):

        async def remove(archive: ArchivedRange) -> int:
            with show_progress("removing", archive.last) as progress:
                return await remove_archived_streams(connection, bounds.log_id, archive, EventMapper(), progress)

        removed = 0
        unfinished = [archive for archive in bounds.archives if archive.removed_at is None]
        for archive in unfinished:
            _check_recorded_file(archive, folder)
            removed += await remove(archive)
        written = None
        part = await choose_next_range(connection, bounds, before, followers)
        if part is not None:
            with show_progress("checking", part.end.position, passes=2) as progress:
                await check_log_is_sound(log, bounds, part, progress)
            header = build_header(
                issuer=issuer_url,
                log=log.name,
                head=bounds.head.position,
                exported_at=utc_now(),
                after=part.after,
                until=part.end.position,
                continues=part.continues,
            )
            name = part.file_name(log.name)
            if not folder.path_of(name).exists():
                with show_progress("writing", header.until - header.after) as progress:
                    pages = read_remaining_pages(log, bounds, header.after, header.until)
                    with open_export_to_write(str(folder.path_of(name))) as write:
                        await write_export(write, header, pages, progress)
            # An existing file is either from a run that was killed or a different file, so it is compared in any case.
            with show_progress("reading back", header.until - header.after) as progress:
                checksums = await _compare_file(log, bounds, header, folder, name=name, progress=progress)
            written = await record_archive(
                connection, bounds, part, file_name=name, checksums=checksums, followers=followers
            )
            removed += await remove(written)
    return ArchiveResult(written, [archive.file_name for archive in unfinished], removed)


def _check_recorded_file(archive: ArchivedRange, folder: ArchiveFolder) -> None:
    try:
        with folder.open_lines(archive):
            pass
    except InvalidExport as error:
        raise ArchiveFileMissing(archive.file_name, str(error)) from error


async def _compare_file(
    log: Log, bounds: LogBounds, header: ExportHeader, folder: ArchiveFolder, *, name: str, progress: Progress
) -> tuple[str, str]:
    """Returns the checksums of the file and of the events in it."""
    path = str(folder.path_of(name))
    try:
        folder.make_durable(name)
        file_sha256 = folder.sha256(name)
        with open_export_to_read(path) as lines:
            return file_sha256, await compare_with_log(log, bounds, header, ExportReader(lines), progress)
    except InvalidExport as error:
        raise ArchiveFileDiffers(path, str(error)) from error
