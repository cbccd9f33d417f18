"""What of a log was moved to archives: in which files it is, and what proves that they are the right ones.

A part is written down before the first of its events is removed. So whoever reads the log asks afterwards what is
archived; what lies behind that was whole.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from msgspec import UNSET, Struct

from ledger.archive.export_reader import ExportReader
from ledger.domain.errors import Archived, InvalidExport
from ledger.domain.events import TokenIssued, TokenRevoked
from ledger.domain.recording import RecordedEvent
from ledger.postgres.database import Connection
from ledger.postgres.statements import load_statements

SQL = load_statements("ledger.postgres.archive", "catalogue.sql")
LOG = load_statements("ledger.postgres", "event_log.sql")

REMOVABLE_TOPICS = frozenset({TokenIssued.TOPIC, TokenRevoked.TOPIC})
"""What archiving removes from the log; events of all other topics stay there for ever."""


class ArchivedRange(Struct, frozen=True, kw_only=True):
    """A part of a log that is in a file: every event from `first` to `last`, dense.

    In the log are left, of these, the events of clients and of grants that were not closed before `closed_before`. All
    others are removed, or will be while `removed_at` is None. `file_sha256` is of the file, `events_sha256` of the
    lines of events in it, `running_sha256` of those of this part and all before it.
    """

    first: int
    last: int
    last_recorded_at: datetime
    file_name: str
    file_sha256: str
    events_sha256: str
    running_sha256: str
    closed_before: datetime
    archived_at: datetime
    removed_at: datetime | None


class ArchiveSource(Protocol):
    """Where the files of archives are."""

    def open_lines(self, archive: ArchivedRange) -> AbstractContextManager[Iterator[bytes]]:
        """Give the lines of an archive. Raises InvalidExport when its file is missing or altered."""
        ...


async def read_archives(connection: Connection, log_id: int) -> Sequence[ArchivedRange]:
    """The archives of a log, in the order of positions."""
    return [ArchivedRange(**row) for row in await connection.fetch(SQL["archives"], log_id)]


async def read_archived_until(connection: Connection, log_id: int) -> int:
    """The last position of a log that is in an archive, 0 when none is."""
    position: int = await connection.fetchval(SQL["archived_until"], log_id)
    return position


async def find_position_at(connection: Connection, log_id: int, instant: datetime) -> int:
    """The newest position of a log recorded by an instant, 0 when there is none. Raises Archived for one too old."""
    position: int | None = await connection.fetchval(LOG["position_at"], log_id, instant)
    if position is None and (until := await read_archived_until(connection, log_id)):
        msg = f"{instant.isoformat()} lies before what the log still has: up to position {until} it is archived"
        raise Archived(msg, until)
    return position or 0


def find_archive(archives: Sequence[ArchivedRange], position: int) -> ArchivedRange | None:
    """The archive that holds a position."""
    return next((archive for archive in archives if archive.first <= position <= archive.last), None)


def compute_running_sha256(before: str, events_sha256: str) -> str:
    """The checksum of a part and all before it, whose own is `before`: empty for the first."""
    return hashlib.sha256(f"{before}{events_sha256}".encode("ascii")).hexdigest()


def build_archived_error(until: int) -> Archived:
    """The error for what would have to be read from archives."""
    return Archived(
        f"the events up to position {until} are archived, and not in the log any more: begin after position {until}",
        until,
    )


def read_archive_file(archive: ArchivedRange, before: str, folder: ArchiveSource) -> Iterator[RecordedEvent]:
    """The events of an archive; `before` is the running checksum of the part before it.

    Raises InvalidExport, which names the file. Nothing that was read may be kept before it has come to its end.
    """
    try:
        with folder.open_lines(archive) as lines:
            reader = ExportReader(lines)
            header = reader.header
            found = (header.after + 1, header.until, "" if header.continues is UNSET else header.continues)
            if found != (archive.first, archive.last, before):
                msg = f"it is not of positions {archive.first} to {archive.last}, or does not continue the part before"
                raise InvalidExport(msg)  # noqa: TRY301 (named below, as all that is wrong with the file)
            yield from reader.events()
            if (
                reader.end.events_sha256 != archive.events_sha256
                or compute_running_sha256(before, archive.events_sha256) != archive.running_sha256
            ):
                msg = "its checksums are not those that were written down"
                raise InvalidExport(msg)  # noqa: TRY301 (as above)
    except InvalidExport as error:
        msg = f"archive {archive.file_name}: {error}"
        raise InvalidExport(msg) from error


def read_archived_events(
    archives: Sequence[ArchivedRange], folder: ArchiveSource, after: int, until: int
) -> Iterator[RecordedEvent]:
    """The events after a position and up to another, from as many archives as have them. Raises InvalidExport."""
    before = ""
    for archive in archives:
        if archive.last > after and archive.first <= until:
            for event in read_archive_file(archive, before, folder):
                if after < event.position <= until:
                    yield event
        before = archive.running_sha256
