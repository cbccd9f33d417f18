"""The export of a log as lines of JSON: a header, one line per event, and an end line with checksums.

The lines hold everything recorded, including token digests and hashes of secrets. A payload is embedded byte for byte;
one that is not JSON on one line is embedded as base64.
"""

import hashlib
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from msgspec.structs import asdict

from ledger.domain.events import Instant
from ledger.domain.recording import RecordedEvent

FORMAT: Literal["token-ledger-log"] = "token-ledger-log"
VERSION: Literal[2] = 2
"""Version 2 added the salt of events. Version 1 is still read."""

VERSIONS = (1, 2)

Position = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Text = Annotated[str, Meta(pattern=r"^[^\x00]*$")]
"""PostgreSQL stores no NUL in text."""


class ExportLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="line"):
    """Base of all lines. An unknown field is refused, because a restore would lose it."""


class ExportHeader(ExportLine, frozen=True, kw_only=True, tag="header"):
    """The first line: the export holds the events after `after` up to `until`; the log's head is at `head`.

    An archive that continues another has the running checksum of all archives before it in `continues`.
    """

    format: Literal["token-ledger-log"] = FORMAT
    version: Literal[1, 2] = VERSION
    issuer: str
    log: str
    head: Count
    after: Count
    until: Count
    exported_at: Instant
    continues: Text | UnsetType = UNSET


class ExportedEvent(ExportLine, frozen=True, kw_only=True, tag="event"):
    """One event as recorded, with either `payload` or `payload_base64`."""

    position: Position
    recorded_at: Instant
    stream_id: UUID
    stream_version: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    topic: Text
    schema_version: Annotated[int, Meta(ge=1, le=2**15 - 1)]
    actor: Text | None
    request_id: Text | None
    remote_address: Text | None
    salt: bytes | UnsetType = UNSET
    payload: Raw | UnsetType = UNSET
    payload_base64: bytes | UnsetType = UNSET

    @classmethod
    def from_row(cls, row: RecordedEvent) -> "ExportedEvent":
        """Build the line of a recorded event."""
        columns = asdict(row) | {"salt": UNSET if row.salt is None else row.salt}
        if fits_on_one_line(row.payload):
            return cls(**columns | {"payload": Raw(row.payload)})
        return cls(**columns | {"payload": UNSET, "payload_base64": row.payload})

    def to_row(self) -> RecordedEvent:
        """Build the recorded event. Raises ValueError when the line has no payload, or two."""
        salt = None if self.salt is UNSET else self.salt
        columns = asdict(self) | {"payload": self._payload(), "salt": salt}
        del columns["payload_base64"]
        return RecordedEvent(**columns)

    def _payload(self) -> bytes:
        match self.payload, self.payload_base64:
            case Raw() as raw, UnsetType():
                return bytes(raw)
            case UnsetType(), bytes() as payload:
                return payload
        msg = "an event has either a payload or a payload_base64"
        raise ValueError(msg)


class ExportEnd(ExportLine, frozen=True, kw_only=True, tag="end"):
    """The last line: the number of events and two hexadecimal checksums.

    `sha256` covers all bytes before this line. `events_sha256` covers the event lines only, so it is the same in every
    export of the same events.
    """

    events: Count
    events_sha256: str
    sha256: str


class RunningDigest:
    """Counts and hashes lines, with their line ends, as they are written or read."""

    def __init__(self) -> None:
        self._all = hashlib.sha256()
        self._events = hashlib.sha256()
        self._count = 0

    def add_header(self, line: bytes) -> None:
        """Add the first line."""
        self._all.update(line)

    def add_event(self, line: bytes) -> None:
        """Add the line of the next event."""
        self._all.update(line)
        self._events.update(line)
        self._count += 1

    def end(self) -> ExportEnd:
        """Build the last line."""
        return ExportEnd(events=self._count, events_sha256=self._events.hexdigest(), sha256=self._all.hexdigest())


class ExportWriter:
    """Builds the lines of one export in order: header, events, end."""

    def __init__(self, header: ExportHeader) -> None:
        self._header = header
        self._digest = RunningDigest()

    def header(self) -> bytes:
        """Build the first line."""
        line = _encode_line(self._header)
        self._digest.add_header(line)
        return line

    def event(self, row: RecordedEvent) -> bytes:
        """Build the line of the next event."""
        line = _encode_line(ExportedEvent.from_row(row))
        self._digest.add_event(line)
        return line

    def end(self) -> tuple[bytes, ExportEnd]:
        """Build the last line; returns it encoded and as a struct."""
        end = self._digest.end()
        return _encode_line(end), end


_encode = msgspec.json.Encoder().encode
_decode_any = msgspec.json.Decoder().decode


def _encode_line(line: ExportLine) -> bytes:
    return _encode(line) + b"\n"


def fits_on_one_line(payload: bytes) -> bool:
    """Whether an embedded payload is read back byte for byte: JSON on one line, without space around it."""
    if b"\n" in payload or b"\r" in payload or payload.strip() != payload:
        return False
    try:
        _decode_any(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def build_header(
    *,
    issuer: str,
    log: str,
    head: int,
    exported_at: datetime,
    after: int = 0,
    until: int | None = None,
    continues: str = "",
) -> ExportHeader:
    """Build the header for the export of a log, or of a part of it, whose head is at `head`."""
    last = head if until is None else min(until, head)
    return ExportHeader(
        issuer=issuer,
        log=log,
        head=head,
        after=min(after, last),
        until=last,
        exported_at=exported_at,
        continues=continues or UNSET,
    )
