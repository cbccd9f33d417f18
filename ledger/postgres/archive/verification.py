"""Verify archive files: a new one against the log before removal, recorded ones against what the log still holds."""

from collections.abc import Sequence
from itertools import islice

from ledger.archive.export_format import ExportHeader
from ledger.archive.export_reader import ExportReader
from ledger.domain.errors import InvalidExport
from ledger.domain.log_checks import LogChecker, ReportFault, check_canonical
from ledger.domain.recording import RecordedEvent
from ledger.postgres.archive.catalogue import REMOVABLE_TOPICS, ArchivedRange, ArchiveSource, read_archive_file
from ledger.postgres.logs import Log
from ledger.postgres.whole_log import PAGE, LogBounds, Progress, read_remaining_pages


async def compare_with_log(
    log: Log, bounds: LogBounds, header: ExportHeader, reader: ExportReader, progress: Progress
) -> str:
    """Compare a new file with the log, row by row. Returns the checksum of its events. Raises InvalidExport."""
    found = reader.header
    if (found.log, found.after, found.until) != (header.log, header.after, header.until):
        msg = "it holds another range, or another log"
        raise InvalidExport(msg)
    if found.continues != header.continues:
        msg = "it does not continue the archive before it"
        raise InvalidExport(msg)
    events = reader.events()
    async for page in read_remaining_pages(log, bounds, header.after, header.until):
        for row in page:
            if next(events, None) != row:
                msg = f"position {row.position} differs from the log"
                raise InvalidExport(msg)
        progress(len(page))
    for event in events:
        raise reader.build_error(event.position, "it is not in the log")
    return reader.end.events_sha256


async def check_archives(
    log: Log, bounds: LogBounds, source: ArchiveSource, report: ReportFault, progress: Progress
) -> int:
    """Read every archive, report faults, and return the number of archived events. Raises Unavailable.

    The order within removed streams is not checked again: it was checked before archiving, and the checksums seal it.
    """
    checker = LogChecker(report, check_canonical)
    events = position = 0
    before = ""
    for archive in bounds.archives:
        if archive.first != position + 1:
            report(archive.first, f"archive {archive.file_name}: the one before it ends at {position}")
        reading = read_archive_file(archive, before, source)
        try:
            while batch := list(islice(reading, PAGE)):
                for event in batch:
                    checker.check(event.position, event.recorded_at, event.topic, event.schema_version, event.payload)
                await _compare_remaining(log, bounds, archive, batch, report)
                events += len(batch)
                progress(len(batch))
        except InvalidExport as error:
            report(archive.first, str(error))
        position, before = archive.last, archive.running_sha256
    return events


async def _compare_remaining(
    log: Log, bounds: LogBounds, archive: ArchivedRange, batch: Sequence[RecordedEvent], report: ReportFault
) -> None:
    """ReportFault events of a batch that differ in the log, or are missing there although they are never removed."""
    missing = {event.position: event for event in batch}
    async for page in read_remaining_pages(log, bounds, batch[0].position - 1, batch[-1].position):
        for row in page:
            if missing.pop(row.position, None) != row:
                report(row.position, f"differs from archive {archive.file_name}")
    for event in missing.values():
        if event.topic not in REMOVABLE_TOPICS:
            report(event.position, f"is missing from the log, and an event of {event.topic!r} is never removed")
