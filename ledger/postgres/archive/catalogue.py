"""Which ranges of a log are archived, in which files, with which checksums; and reading events from those files.

A range is recorded here before its first event is removed from the log. So a reader that checks for archives after it
has read knows that events beyond the archived ranges were complete.
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
"""Topics of the events that archiving removes from the log; all others are kept."""


class ArchivedRange(Struct, frozen=True, kw_only=True):
    """A range of positions, `first` to `last`, that is in an archive file completely.

    The log keeps those of its events that belong to clients, or to grants that were not closed before `closed_before`.
    The others are removed; while `removed_at` is None the removal is incomplete. `file_sha256` is the checksum of the
    file, `events_sha256` of its event lines, `running_sha256` of the event lines of this range and all before it.
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
    """Where the archive files are."""

    def open_lines(self, archive: ArchivedRange) -> AbstractContextManager[Iterator[bytes]]:
        """Give the lines of an archive. Raises InvalidExport when its file is missing or altered."""
        ...


async def read_archives(connection: Connection, log_id: int) -> Sequence[ArchivedRange]:
    """The archived ranges of a log in position order."""
    return [ArchivedRange(**row) for row in await connection.fetch(SQL["archives"], log_id)]


async def read_archived_until(connection: Connection, log_id: int) -> int:
    """The last archived position of a log, 0 when nothing is archived."""
    position: int = await connection.fetchval(SQL["archived_until"], log_id)
    return position


async def find_position_at(connection: Connection, log_id: int, instant: datetime) -> int:
    """The newest position recorded at or before an instant, 0 if none. Raises Archived if the log cannot tell."""
    position: int | None = await connection.fetchval(LOG["position_at"], log_id, instant)
    if position is None and (until := await read_archived_until(connection, log_id)):
        msg = f"{instant.isoformat()} is before the oldest event in the log, which is archived up to position {until}"
        raise Archived(msg, until)
    return position or 0


def find_archive(archives: Sequence[ArchivedRange], position: int) -> ArchivedRange | None:
    """The archived range that contains a position."""
    return next((archive for archive in archives if archive.first <= position <= archive.last), None)


def build_archived_error(until: int) -> Archived:
    """The error for a read that would need archived events."""
    return Archived(
        f"the events up to position {until} are archived and no longer in the log: start after position {until}",
        until,
    )


def compute_running_sha256(before: str, events_sha256: str) -> str:
    """Chain a range's checksum to the running checksum of the ranges before it, empty for the first range."""
    return hashlib.sha256(f"{before}{events_sha256}".encode("ascii")).hexdigest()


def read_archive_file(archive: ArchivedRange, before: str, source: ArchiveSource) -> Iterator[RecordedEvent]:
    """The events of an archive file; `before` is the running checksum of the range before it.

    Raises InvalidExport, which names the file. Discard all events if it raises, even at the end.
    """
    try:
        with source.open_lines(archive) as lines:
            reader = ExportReader(lines)
            header = reader.header
            found = (header.after + 1, header.until, "" if header.continues is UNSET else header.continues)
            if found != (archive.first, archive.last, before):
                msg = f"it is not positions {archive.first} to {archive.last}, or does not continue the one before"
                raise InvalidExport(msg)  # noqa: TRY301 (caught below to name the file)
            yield from reader.events()
            if (
                reader.end.events_sha256 != archive.events_sha256
                or compute_running_sha256(before, archive.events_sha256) != archive.running_sha256
            ):
                msg = "its checksums differ from the recorded ones"
                raise InvalidExport(msg)  # noqa: TRY301 (as above)
    except InvalidExport as error:
        msg = f"archive {archive.file_name}: {error}"
        raise InvalidExport(msg) from error


def read_archived_events(
    archives: Sequence[ArchivedRange], source: ArchiveSource, after: int, until: int
) -> Iterator[RecordedEvent]:
    """Archived events after `after` and up to `until`, across files. Raises InvalidExport."""
    before = ""
    for archive in archives:
        if archive.last > after and archive.first <= until:
            for event in read_archive_file(archive, before, source):
                if after < event.position <= until:
                    yield event
        before = archive.running_sha256
