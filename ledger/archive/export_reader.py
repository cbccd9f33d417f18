"""Reading the export of a log, distrusting it: what is truncated, altered or reordered is noticed and named."""

from collections.abc import Iterator
from typing import NoReturn

import msgspec
from msgspec import Struct

from ledger.archive.export_format import FORMAT, VERSION, End, EventLine, Header, RunningDigest
from ledger.domain.errors import InvalidArchive
from ledger.domain.log_checks import LogChecker, check_readable
from ledger.domain.recording import LogHead, RecordedEvent

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Claim(Struct):
    """The part of a header that says whether this release can read the rest."""

    format: str
    version: int


_claim = msgspec.json.Decoder(_Claim)
_header = msgspec.json.Decoder(Header)
_line: msgspec.json.Decoder[EventLine | End] = msgspec.json.Decoder(EventLine | End)


class ArchiveReader:
    """The header and then the events of an export. Each is checked when it is given, the whole when the last one was.

    So nothing that was read may be kept before `events` has come to its end without raising.
    """

    def __init__(self, lines: Iterator[bytes]) -> None:
        """`lines` come with their line ends. Raises InvalidArchive when the first is not a header this code reads."""
        self._lines = lines
        self._number = 0
        self._digest = RunningDigest()
        self.head: LogHead | None = None
        """Position and instant of the last event given."""
        self.end = End(events=0, events_sha256="", sha256="")
        """The last line, once it was read."""
        first = self._next()
        self.header = self._read_header(first)
        self._digest.header(first)

    def events(self) -> Iterator[RecordedEvent]:
        """The events in position order. Raises InvalidArchive at the first thing that is wrong."""
        checks = LogChecker(self._refuse_event, check_readable, after=self.header.after)
        while isinstance(line := self._read_line(text := self._next()), EventLine):
            self._digest.event(text)
            try:
                row = line.recorded_event()
            except ValueError as error:
                self._refuse(str(error), error)
            checks.check(row.position, row.recorded_at, row.topic, row.schema_version, row.payload)
            self.head = LogHead(row.position, row.recorded_at)
            yield row
        self._check_end(line)

    def invalid(self, position: int, what: str) -> InvalidArchive:
        """The error for an event that was given and turned out to be wrong."""
        return InvalidArchive(f"line {position - self.header.after + 1}: position {position}: {what}")

    def _check_end(self, end: End) -> None:
        self.end = end
        read = self._digest.end()
        last = self.head.position if self.head else self.header.after
        if end.events != read.events:
            self._refuse(f"the export has {end.events} events, here are {read.events}")
        if last != self.header.until:
            self._refuse(f"the header says that the export goes up to {self.header.until}, it ends at {last}")
        if end != read:
            self._refuse("the checksum does not fit the lines before: the file was altered")
        if next(self._lines, b""):
            self._number += 1
            self._refuse("there is something behind the end of the export")

    def _read_header(self, line: bytes) -> Header:
        try:
            claim = _claim.decode(line)
        except UNREADABLE:
            claim = _Claim("", 0)
        if claim.format != FORMAT:
            self._refuse("this is not the export of a log")
        if claim.version != VERSION:
            msg = f"the export has format version {claim.version}, this release reads {VERSION}"
            self._refuse(f"{msg}: use the release that wrote it")
        try:
            return _header.decode(line)
        except UNREADABLE as error:
            self._refuse(f"the header cannot be read: {error}", error)

    def _read_line(self, line: bytes) -> EventLine | End:
        try:
            return _line.decode(line)
        except UNREADABLE as error:
            self._refuse(f"it cannot be read: {error}", error)

    def _next(self) -> bytes:
        self._number += 1
        line = next(self._lines, b"")
        if not line.endswith(b"\n"):
            self._refuse("the file is empty" if self._number == 1 and not line else "the file was cut off here")
        return line

    def _refuse_event(self, position: int, what: str) -> None:
        self._refuse(f"position {position}: {what}")

    def _refuse(self, what: str, cause: Exception | None = None) -> NoReturn:
        msg = f"line {self._number}: {what}"
        raise InvalidArchive(msg) from cause
