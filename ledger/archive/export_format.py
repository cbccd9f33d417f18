"""The export of a log as lines of JSON: a header, one line an event, and an end that proves the others.

The lines hold all that is recorded, digests and hashes of secrets included. A payload stands in its line byte for byte;
one that cannot, because it is not JSON or not on one line, is base64. The end counts the events and has the SHA-256 of
all bytes before it, and that of the events alone, which is the same for every export of the same events.
"""

import hashlib
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from ledger.domain.events import Instant
from ledger.domain.recording import RecordedEvent

FORMAT: Literal["token-ledger-log"] = "token-ledger-log"
VERSION: Literal[1] = 1

Position = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Text = Annotated[str, Meta(pattern=r"^[^\x00]*$")]
"""PostgreSQL has no text with NUL in it."""


class Line(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="line"):
    """Base of what a line can be. A field this release does not know would be lost, so it is refused."""


class Header(Line, frozen=True, kw_only=True, tag="header"):
    """The first line: what the lines after it are. They hold the events after `after` and up to `until`.

    `head` is the newest position of the log at that time. An archive that continues another has the running checksum of
    all before it in `continues`.
    """

    format: Literal["token-ledger-log"] = FORMAT
    version: Literal[1] = VERSION
    issuer: str
    log: str
    head: Count
    after: Count
    until: Count
    exported_at: Instant
    continues: Text | UnsetType = UNSET


class EventLine(Line, frozen=True, kw_only=True, tag="event"):
    """One event as it is recorded. One of `payload` and `payload_base64` is there."""

    position: Position
    recorded_at: Instant
    stream_id: UUID
    stream_version: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    topic: Text
    schema_version: Annotated[int, Meta(ge=1, le=2**15 - 1)]
    actor: Text | None
    request_id: Text | None
    remote_address: Text | None
    payload: Raw | UnsetType = UNSET
    payload_base64: bytes | UnsetType = UNSET

    @classmethod
    def of(cls, row: RecordedEvent) -> "EventLine":
        """The line of a recorded event."""
        inline = fits_on_one_line(row.payload)
        return cls(
            position=row.position,
            recorded_at=row.recorded_at,
            stream_id=row.stream_id,
            stream_version=row.stream_version,
            topic=row.topic,
            schema_version=row.schema_version,
            actor=row.actor,
            request_id=row.request_id,
            remote_address=row.remote_address,
            payload=Raw(row.payload) if inline else UNSET,
            payload_base64=UNSET if inline else row.payload,
        )

    def recorded_event(self) -> RecordedEvent:
        """The event of a line. Raises ValueError when it has no payload, or two."""
        return RecordedEvent(
            stream_id=self.stream_id,
            stream_version=self.stream_version,
            topic=self.topic,
            payload=self._payload(),
            position=self.position,
            schema_version=self.schema_version,
            recorded_at=self.recorded_at,
            actor=self.actor,
            request_id=self.request_id,
            remote_address=self.remote_address,
        )

    def _payload(self) -> bytes:
        match self.payload, self.payload_base64:
            case Raw() as raw, UnsetType():
                return bytes(raw)
            case UnsetType(), bytes() as payload:
                return payload
        msg = "an event has either a payload or a payload_base64"
        raise ValueError(msg)


class End(Line, frozen=True, kw_only=True, tag="end"):
    """The last line. `sha256` is of all bytes before it, `events_sha256` of the lines of events; both hexadecimal."""

    events: Count
    events_sha256: str
    sha256: str


class RunningDigest:
    """Counts and hashes lines as they are written or read."""

    def __init__(self) -> None:
        self._all = hashlib.sha256()
        self._events = hashlib.sha256()
        self._count = 0

    def header(self, line: bytes) -> None:
        """The first line, with its line end."""
        self._all.update(line)

    def event(self, line: bytes) -> None:
        """The next line of an event, with its line end."""
        self._all.update(line)
        self._events.update(line)
        self._count += 1

    def end(self) -> End:
        """The last line that belongs to what came before."""
        return End(events=self._count, events_sha256=self._events.hexdigest(), sha256=self._all.hexdigest())


class ArchiveWriter:
    """Makes the lines of one export, in their order: the header, the events, the end."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self._digest = RunningDigest()

    def header(self) -> bytes:
        """The first line."""
        line = encode_line(self._header)
        self._digest.header(line)
        return line

    def event(self, row: RecordedEvent) -> bytes:
        """The line of the next event."""
        line = encode_line(EventLine.of(row))
        self._digest.event(line)
        return line

    def end(self) -> tuple[bytes, End]:
        """The last line, and what it says."""
        end = self._digest.end()
        return encode_line(end), end


_encode = msgspec.json.Encoder().encode
_decode_any = msgspec.json.Decoder().decode


def encode_line(line: Line) -> bytes:
    """A line with its line end."""
    return _encode(line) + b"\n"


def fits_on_one_line(payload: bytes) -> bool:
    """Whether a payload put into a line is read back byte for byte: JSON, on one line, without space around it."""
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
) -> Header:
    """The header of an export of a log whose newest position is `head`, or of a part of it."""
    last = head if until is None else min(until, head)
    return Header(
        issuer=issuer,
        log=log,
        head=head,
        after=min(after, last),
        until=last,
        exported_at=exported_at,
        continues=continues or UNSET,
    )
