"""Proving of one log that it is what it promises to be, while it is written."""

from msgspec import Struct

from ledger.domain.log_checks import LogChecker, LogFault, LogFaults, check_canonical
from ledger.domain.recording import LogHead
from ledger.postgres.archive.catalogue import ArchiveSource
from ledger.postgres.archive.verification import check_archives
from ledger.postgres.logs import Log
from ledger.postgres.whole_log import LogBounds, Progress, check_bounds_unchanged, check_streams, read_pages_to_check


class LogVerification(Struct, frozen=True):
    """What was found of a log up to its head at the time: the first findings, and how many there are.

    `events` is how many were looked at; `archived` up to where the log has gaps, as what was there is in archives.
    """

    head: LogHead
    events: int
    findings: tuple[LogFault, ...]
    count: int
    archived: int = 0

    @property
    def sound(self) -> bool:
        """Whether everything holds."""
        return self.count == 0


async def verify_log(
    log: Log, bounds: LogBounds, *, limit: int, progress: Progress, folder: ArchiveSource | None = None
) -> LogVerification:
    """Check every event of a log, by position and then by stream; `limit` findings are kept.

    With the folder of its archives those that are archived too. Progress is told of every event twice. Raises
    Unavailable.
    """
    findings = LogFaults(limit)
    checks = LogChecker(findings.add, check_canonical, archived=bounds.archived_end)
    events = 0
    async for page in read_pages_to_check(log, bounds):
        for row in page:
            checks.check(*row.values())
        events += len(page)
        progress(len(page))
    checks.end(bounds.head)
    if bounds.newest > bounds.head.position:
        findings.add(bounds.newest, f"lies behind the head of the log, which is at {bounds.head.position}")
    async with log.database.connection() as connection:
        await check_streams(connection, bounds.log_id, bounds.head.position, findings.add, progress)
    if folder is not None:
        events += await check_archives(log, bounds, folder, findings.add, progress)
    await check_bounds_unchanged(log, bounds)
    return LogVerification(bounds.head, events, tuple(findings.first), findings.count, bounds.archived_until)
