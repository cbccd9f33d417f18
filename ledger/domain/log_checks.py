"""What a sound log satisfies, checked event by event in position order: for a log in a database and one in a file."""

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from ledger.domain.codec import CODEC, Codec
from ledger.domain.errors import StoredDataError
from ledger.domain.recording import LogHead

Report = Callable[[int, str], None]
"""Takes what is wrong, and at which position. It may raise, where one fault is enough."""

Examination = Callable[[str, int, bytes], str | None]
"""From topic, schema version and payload to what is wrong with them, None when nothing is."""


class LogFault(Struct, frozen=True):
    """Something that does not hold of a log, and the position where it shows."""

    position: int
    what: str


class LogFaults:
    """The first `limit` findings, and how many there were in all: a log may be wrong at every position."""

    def __init__(self, limit: int) -> None:
        self.first: list[LogFault] = []
        self.count = 0
        self._limit = limit

    def add(self, position: int, what: str) -> None:
        """One more. A `Report`."""
        self.count += 1
        if len(self.first) < self._limit:
            self.first.append(LogFault(position, what))


class LogChecker:
    """Checks events as they come: dense positions, time that does not go back, payloads that hold what they should."""

    def __init__(
        self, report: Report, examine: Examination, *, after: int = 0, archived: LogHead | None = None
    ) -> None:
        """`after` is the position before the first event; up to the end of what is archived there may be gaps."""
        self._report = report
        self._examine = examine
        self._position = after
        self._archived = archived
        self._recorded_at: datetime | None = None

    def check(self, position: int, recorded_at: datetime, topic: str, schema_version: int, payload: bytes) -> None:
        """Check the next event. After a gap it goes on behind it, so that a fault is reported once."""
        if self._archived is not None and position > self._archived.position:
            self._leave_archived(self._archived)
        dense = self._archived is None
        if position <= self._position or (dense and position != self._position + 1):
            self._report(position, _misplaced(position, self._position))
        if self._recorded_at is not None and recorded_at < self._recorded_at:
            self._report(position, f"recorded at {recorded_at}, before its predecessor ({self._recorded_at})")
        fault = self._examine(topic, schema_version, payload)
        if fault is not None:
            self._report(position, fault)
        self._position = position
        self._recorded_at = recorded_at

    def end(self, head: LogHead) -> None:
        """Check, after the last event, that it is where the head says that the log ends."""
        if self._archived is not None:
            self._leave_archived(self._archived)
        if self._position < head.position:
            self._report(head.position, f"the log ends at {self._position}, its head says {head.position}")
        elif self._recorded_at is not None and self._recorded_at != head.recorded_at:
            what = f"recorded at {self._recorded_at}, its head says {head.recorded_at}"
            self._report(head.position, f"the newest event was {what}")

    def _leave_archived(self, archived: LogHead) -> None:
        """What comes now follows the last event that is archived, without a gap."""
        self._archived = None
        self._position = archived.position
        self._recorded_at = max(self._recorded_at or archived.recorded_at, archived.recorded_at)


def check_readable(topic: str, schema_version: int, payload: bytes, codec: Codec = CODEC) -> str | None:
    """What keeps this release from reading an event. An `Examination`."""
    try:
        codec.decode(topic, schema_version, payload)
    except StoredDataError as error:
        return str(error)
    return None


def check_canonical(topic: str, schema_version: int, payload: bytes, codec: Codec = CODEC) -> str | None:
    """The same, and that its payload is not the one encoding of what it says. An `Examination`."""
    try:
        canonical = codec.is_canonical(topic, schema_version, payload)
    except StoredDataError as error:
        return str(error)
    return None if canonical else f"the payload of this {topic!r} event is not canonical"


def check_stream(version: int, position: int, version_before: int | None, position_before: int | None) -> str | None:
    """What is wrong with an event's place in its stream, after the one before it there, None for the first."""
    expected = (version_before or 0) + 1
    if version != expected:
        return f"has version {version} of its stream, where {expected} should follow"
    if position_before is not None and position_before > position:
        return f"version {version} of its stream lies before version {version_before}, which is at {position_before}"
    return None


def _misplaced(position: int, previous: int) -> str:
    if position <= previous:
        return f"position {position} comes after {previous}"
    missing = f"{previous + 1}" if position == previous + 2 else f"{previous + 1} to {position - 1}"
    return f"nothing is at {missing}"
