"""Proving of one log that it is what it promises to be, while it is written."""

from msgspec import Struct

from ledger.domain.log_checks import LogChecker, LogFault, LogFaults, check_canonical
from ledger.domain.recording import LogHead
from ledger.postgres.archive.catalogue import ArchiveSource
from ledger.postgres.archive.verification import check_archives
from ledger.postgres.logs import Log
from ledger.postgres.whole_log import Extent, Progress, check_streams, check_unmoved, pages_to_check


class Verification(Struct, frozen=True):
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


async def verify(
    log: Log, extent: Extent, *, limit: int, progress: Progress, folder: ArchiveSource | None = None
) -> Verification:
    """Check every event of a log, by position and then by stream; `limit` findings are kept.

    With the folder of its archives those that are archived too. Progress is told of every event twice. Raises
    Unavailable.
    """
    findings = LogFaults(limit)
    checks = LogChecker(findings.add, check_canonical, archived=extent.archived)
    events = 0
    async for page in pages_to_check(log, extent):
        for row in page:
            checks.check(*row.values())
        events += len(page)
        progress(len(page))
    checks.end(extent.head)
    if extent.newest > extent.head.position:
        findings.add(extent.newest, f"lies behind the head of the log, which is at {extent.head.position}")
    async with log.database.connection() as connection:
        await check_streams(connection, extent.log_id, extent.head.position, findings.add, progress)
    if folder is not None:
        events += await check_archives(log, extent, folder, findings.add, progress)
    await check_unmoved(log, extent)
    return Verification(extent.head, events, tuple(findings.first), findings.count, extent.archived_until)
