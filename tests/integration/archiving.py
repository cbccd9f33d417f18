"""Archiving in tests: an old log in a database, followed, and moved to a folder as the command does."""

from datetime import datetime
from pathlib import Path

from api.cli.progress import show_progress
from api.operations.archive_folder import ArchiveFolder
from api.operations.archive_log import ArchiveResult, archive_log
from ledger.archive.export_format import ExportWriter, build_header
from ledger.postgres.database import Database
from ledger.postgres.log_verification import LogVerification, verify_log
from ledger.postgres.logs import Log
from ledger.postgres.whole_log import read_event_pages, read_log_bounds
from tests.builders import NOW
from tests.integration.conftest import ISSUER
from tests.integration.whole_logs import ignore_progress


class Archivist:
    """Works on the log of the first issuer, as the owner of the tables."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.log = Log(database, ISSUER.log_name)
        self.path = folder

    @property
    def folder(self) -> ArchiveFolder:
        """It remembers which files it has looked at, so there is a new one each time."""
        return ArchiveFolder(self.path)

    async def move(self, before: datetime) -> ArchiveResult:
        return await archive_log(self.log, ISSUER.url, before, self.folder, show_progress)

    async def verify(self, *, with_archives: bool = True) -> LogVerification:
        folder = self.folder if with_archives else None
        return await verify_log(
            self.log, await read_log_bounds(self.log), limit=20, progress=ignore_progress, folder=folder
        )

    async def export(self, after: int = 0, *, with_archives: bool = True) -> list[bytes]:
        """The lines of an export from a position on."""
        bounds = await read_log_bounds(self.log)
        head = bounds.head.position
        writer = ExportWriter(
            build_header(issuer=ISSUER.url, log=self.log.name, head=head, exported_at=NOW, after=after)
        )
        lines = [writer.header()]
        folder = self.folder if with_archives else None
        async for page in read_event_pages(self.log, bounds, after, head, folder):
            lines += map(writer.event, page)
        return [*lines, writer.end()[0]]
