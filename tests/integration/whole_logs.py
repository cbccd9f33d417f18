"""Whole logs in tests: restore, export, verify and archive one, and read all its rows."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from api.cli.progress import show_progress
from api.operations.archive_folder import ArchiveFolder
from api.operations.archive_log import ArchiveResult, archive_log
from ledger.archive.export_format import ExportWriter, build_header
from ledger.archive.export_reader import ExportReader
from ledger.domain.recording import EventMapper
from ledger.postgres.archive.restoration import InlineProjection, Restoration
from ledger.postgres.database import Database
from ledger.postgres.log_verification import LogVerification, verify_log
from ledger.postgres.logs import Log
from ledger.postgres.whole_log import read_event_pages, read_log_bounds
from projections.catalogue import inline_projections
from tests.builders import NOW
from tests.databases import connect
from tests.integration.conftest import ISSUER

ROWS = {
    "event_log": "SELECT * FROM event_log ORDER BY log_id, position",
    "log_head": "SELECT log_id, position FROM log_head",
    "active_tokens": "SELECT * FROM active_tokens ORDER BY digest",
    "clients": "SELECT * FROM clients ORDER BY client_id",
}


def ignore_progress(_events: int) -> None:
    pass


async def restore(log: Log, lines: Iterable[bytes], inline: Sequence[InlineProjection] | None = None) -> None:
    """Import an export, as the command does."""
    views = inline_projections(EventMapper()) if inline is None else inline
    await Restoration(log, ExportReader(iter(lines)), views, ignore_progress).run()


async def export(log: Log, after: int = 0, folder: ArchiveFolder | None = None) -> list[bytes]:
    """The lines that the command would write."""
    bounds = await read_log_bounds(log)
    head = bounds.head.position
    writer = ExportWriter(build_header(issuer=ISSUER.url, log="first", head=head, exported_at=NOW, after=after))
    lines = [writer.header()]
    async for page in read_event_pages(log, bounds, after, head, folder):
        lines += map(writer.event, page)
    return [*lines, writer.end()[0]]


async def verify(log: Log, **options: object) -> LogVerification:
    given = {"limit": 20, "progress": ignore_progress} | options
    return await verify_log(log, await read_log_bounds(log), **given)


async def rows_of(database) -> dict[str, list[tuple]]:
    """All rows of the log and the inline projections."""
    async with connect(database.superuser_dsn) as connection:
        return {table: [tuple(row) for row in await connection.fetch(query)] for table, query in ROWS.items()}


class Archivist:
    """Archives the log of the first issuer to a folder, as the owner of the tables."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.log = Log(database, ISSUER.log_name)
        self.path = folder

    @property
    def folder(self) -> ArchiveFolder:
        """A new object, because one remembers which files it has checked."""
        return ArchiveFolder(self.path)

    async def move(self, before: datetime) -> ArchiveResult:
        return await archive_log(self.log, ISSUER.url, before, self.folder, show_progress)

    async def verify(self, *, with_archives: bool = True) -> LogVerification:
        return await verify(self.log, folder=self.folder if with_archives else None)

    async def export(self, after: int = 0, *, with_archives: bool = True) -> list[bytes]:
        return await export(self.log, after, self.folder if with_archives else None)
