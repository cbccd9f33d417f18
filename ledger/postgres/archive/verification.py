"""Proving that the archives of a log are whole, follow each other, and agree with what the log itself still has."""

from collections.abc import Sequence
from itertools import islice

from ledger.domain.errors import InvalidExport
from ledger.domain.log_checks import LogChecker, ReportFault, check_canonical
from ledger.domain.recording import RecordedEvent
from ledger.postgres.archive.catalogue import REMOVABLE_TOPICS, ArchivedRange, ArchiveSource, read_archive_file
from ledger.postgres.logs import Log
from ledger.postgres.whole_log import PAGE, LogBounds, Progress, read_remaining_pages


async def check_archives(
    log: Log, bounds: LogBounds, folder: ArchiveSource, report: ReportFault, progress: Progress
) -> int:
    """Read every archive, report what is wrong, and return how many events are in them. Raises Unavailable.

    That the streams of what was removed are in order was proved before, and is sealed by the checksums.
    """
    checks = LogChecker(report, check_canonical)
    events = position = 0
    before = ""
    for archive in bounds.archives:
        if archive.first != position + 1:
            report(archive.first, f"archive {archive.file_name}: the one before it ends at {position}")
        reading = read_archive_file(archive, before, folder)
        try:
            while batch := list(islice(reading, PAGE)):
                for event in batch:
                    checks.check(event.position, event.recorded_at, event.topic, event.schema_version, event.payload)
                await _compare(log, bounds, archive, batch, report)
                events += len(batch)
                progress(len(batch))
        except InvalidExport as error:
            report(archive.first, str(error))
        position, before = archive.last, archive.running_sha256
    return events


async def _compare(
    log: Log, bounds: LogBounds, archive: ArchivedRange, batch: Sequence[RecordedEvent], report: ReportFault
) -> None:
    """What the log still has of a batch is the same there; what it has not is of grants."""
    left = {event.position: event for event in batch}
    async for page in read_remaining_pages(log, bounds, batch[0].position - 1, batch[-1].position):
        for row in page:
            if left.pop(row.position, None) != row:
                report(row.position, f"is not as it is in archive {archive.file_name}")
    for event in left.values():
        if event.topic not in REMOVABLE_TOPICS:
            report(event.position, f"is gone from the log, and an event of {event.topic!r} is never removed")
