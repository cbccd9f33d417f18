"""Verify that a log is sound, while the service appends to it."""

from msgspec import Struct

from ledger.domain.log_checks import LogChecker, LogFault, LogFaults, check_canonical
from ledger.domain.recording import LogHead
from ledger.postgres.archive.catalogue import ArchiveSource
from ledger.postgres.archive.verification import check_archives
from ledger.postgres.logs import Log
from ledger.postgres.whole_log import SQL, LogBounds, Progress, check_bounds_unchanged, check_streams, read_pages


class LogVerification(Struct, frozen=True):
    """The first faults of a log up to its head, and the count of all.

    `events` is the number of events checked. Up to `archived` the log has gaps, because events there are archived.
    """

    head: LogHead
    events: int
    findings: tuple[LogFault, ...]
    count: int
    archived: int = 0

    @property
    def sound(self) -> bool:
        """Whether there are no faults."""
        return self.count == 0


async def verify_log(
    log: Log, bounds: LogBounds, *, limit: int, progress: Progress, folder: ArchiveSource | None = None
) -> LogVerification:
    """Check every event of a log, first by position, then by stream; keep the first `limit` faults.

    If `folder` is given, archived events are checked too. Progress counts each event twice. Raises Unavailable.
    """
    faults = LogFaults(limit)
    checker = LogChecker(faults.add, check_canonical, archived=bounds.archived_end)
    events = 0
    async for page in read_pages(log, SQL["page_to_check"], bounds.log_id, 0, bounds.head.position):
        for row in page:
            checker.check(*row.values())
        events += len(page)
        progress(len(page))
    checker.end(bounds.head)
    if bounds.newest > bounds.head.position:
        faults.add(bounds.newest, f"is beyond the head of the log, which is at {bounds.head.position}")
    async with log.database.connection() as connection:
        await check_streams(connection, bounds.log_id, bounds.head.position, faults.add, progress)
    if folder is not None:
        events += await check_archives(log, bounds, folder, faults.add, progress)
    await check_bounds_unchanged(log, bounds)
    return LogVerification(bounds.head, events, tuple(faults.first), faults.count, bounds.archived_until)
