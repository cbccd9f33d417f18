"""Reads the export of a log and detects files that are truncated, altered or reordered."""

from collections.abc import Iterator
from typing import NoReturn

import msgspec
from msgspec import Struct

from ledger.archive.export_format import (
    FORMAT,
    VERSION,
    VERSIONS,
    ExportedEvent,
    ExportEnd,
    ExportHeader,
    RunningDigest,
)
from ledger.domain.errors import InvalidExport
from ledger.domain.log_checks import LogChecker, check_readable
from ledger.domain.recording import LogHead, RecordedEvent

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Format(Struct):
    """The fields of a header that tell whether this release can read the rest."""

    format: str
    version: int


_format = msgspec.json.Decoder(_Format)
_header = msgspec.json.Decoder(ExportHeader)
_line: msgspec.json.Decoder[ExportedEvent | ExportEnd] = msgspec.json.Decoder(ExportedEvent | ExportEnd)


class ExportReader:
    """Reads the header and then the events of an export.

    Each event is checked before it is returned, and the whole file after the last one. So the caller must not keep
    anything until `events` has ended without an error.
    """

    def __init__(self, lines: Iterator[bytes]) -> None:
        """`lines` include their line ends. Raises InvalidExport when the first is not a header this release reads."""
        self._lines = lines
        self._number = 0
        self._digest = RunningDigest()
        self.head: LogHead | None = None
        """Position and instant of the last event returned."""
        self.end = ExportEnd(events=0, events_sha256="", sha256="")
        """The last line, once it is read."""
        first = self._next()
        self.header = self._read_header(first)
        self._digest.add_header(first)

    def events(self) -> Iterator[RecordedEvent]:
        """Read the events in position order. Raises InvalidExport at the first fault."""
        checker = LogChecker(self._refuse_event, check_readable, after=self.header.after)
        while isinstance(line := self._read_line(text := self._next()), ExportedEvent):
            self._digest.add_event(text)
            try:
                row = line.to_row()
            except ValueError as error:
                self._refuse(str(error), error)
            checker.check(row.position, row.recorded_at, row.topic, row.schema_version, row.payload)
            self.head = LogHead(row.position, row.recorded_at)
            yield row
        self._check_end(line)

    def build_error(self, position: int, what: str) -> InvalidExport:
        """Build the error for an event that was returned and proved to be wrong."""
        return InvalidExport(f"line {position - self.header.after + 1}: position {position}: {what}")

    def _check_end(self, end: ExportEnd) -> None:
        self.end = end
        read = self._digest.end()
        last = self.head.position if self.head else self.header.after
        if end.events != read.events:
            self._refuse(f"the end line counts {end.events} events but the file has {read.events}")
        if last != self.header.until:
            self._refuse(f"the header says that the export ends at {self.header.until} but it ends at {last}")
        if end != read:
            self._refuse("the checksum does not match the lines before: the file was altered")
        if next(self._lines, b""):
            self._number += 1
            self._refuse("there is data after the end of the export")

    def _read_header(self, line: bytes) -> ExportHeader:
        try:
            found = _format.decode(line)
        except UNREADABLE:
            found = _Format("", 0)
        if found.format != FORMAT:
            self._refuse("this is not an export of a log")
        if found.version not in VERSIONS:
            msg = f"the export has format version {found.version}, this release reads {VERSION} and older"
            self._refuse(f"{msg}: use the release that wrote it")
        try:
            return _header.decode(line)
        except UNREADABLE as error:
            self._refuse(f"the header cannot be read: {error}", error)

    def _read_line(self, line: bytes) -> ExportedEvent | ExportEnd:
        try:
            return _line.decode(line)
        except UNREADABLE as error:
            self._refuse(f"the line cannot be read: {error}", error)

    def _next(self) -> bytes:
        self._number += 1
        line = next(self._lines, b"")
        if not line.endswith(b"\n"):
            self._refuse("the file is empty" if self._number == 1 and not line else "the file is truncated here")
        return line

    def _refuse_event(self, position: int, what: str) -> None:
        self._refuse(f"position {position}: {what}")

    def _refuse(self, what: str, cause: Exception | None = None) -> NoReturn:
        msg = f"line {self._number}: {what}"
        raise InvalidExport(msg) from cause
