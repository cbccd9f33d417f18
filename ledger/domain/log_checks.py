"""Checks that a log is sound, event by event in position order, whether it is read from a database or a file."""

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from ledger.domain.codec import CODEC
from ledger.domain.errors import StoredDataError
from ledger.domain.recording import LogHead

ReportFault = Callable[[int, str], None]
"""Takes the position of a fault and its description. It may raise to end the checks."""

CheckPayload = Callable[[str, int, bytes], str | None]
"""Takes topic, schema version and payload; returns the fault, or None."""


class LogFault(Struct, frozen=True):
    """A fault of a log and the position where it was found."""

    position: int
    what: str


class LogFaults:
    """The first `limit` faults and the number of all, because every position of a log can be at fault."""

    def __init__(self, limit: int) -> None:
        self.first: list[LogFault] = []
        self.count = 0
        self._limit = limit

    def add(self, position: int, what: str) -> None:
        """Add a fault. A `ReportFault`."""
        self.count += 1
        if len(self.first) < self._limit:
            self.first.append(LogFault(position, what))


class LogChecker:
    """Checks that positions are dense, that time never goes back, and that payloads pass `check_payload`."""

    def __init__(
        self, report: ReportFault, check_payload: CheckPayload, *, after: int = 0, archived: LogHead | None = None
    ) -> None:
        """`after` is the position before the first event. Up to the end of what is archived, gaps are allowed."""
        self._report = report
        self._check_payload = check_payload
        self._position = after
        self._archived = archived
        self._recorded_at: datetime | None = None

    def check(self, position: int, recorded_at: datetime, topic: str, schema_version: int, payload: bytes) -> None:
        """Check the next event. A gap is reported once; the checks continue after it."""
        if self._archived is not None and position > self._archived.position:
            self._end_archived(self._archived)
        dense = self._archived is None
        if position <= self._position or (dense and position != self._position + 1):
            self._report(position, _describe_gap(position, self._position))
        if self._recorded_at is not None and recorded_at < self._recorded_at:
            self._report(position, f"recorded at {recorded_at}, before its predecessor ({self._recorded_at})")
        fault = self._check_payload(topic, schema_version, payload)
        if fault is not None:
            self._report(position, fault)
        self._position = position
        self._recorded_at = recorded_at

    def end(self, head: LogHead) -> None:
        """Check, after the last event, that the log ends at its head."""
        if self._archived is not None:
            self._end_archived(self._archived)
        if self._position < head.position:
            self._report(head.position, f"the log ends at {self._position} but its head is at {head.position}")
        elif self._recorded_at is not None and self._recorded_at != head.recorded_at:
            what = f"was recorded at {self._recorded_at} but the head has {head.recorded_at}"
            self._report(head.position, f"the newest event {what}")

    def _end_archived(self, archived: LogHead) -> None:
        """The next event must follow the last archived one without a gap."""
        self._archived = None
        self._position = archived.position
        self._recorded_at = max(self._recorded_at or archived.recorded_at, archived.recorded_at)


def check_readable(topic: str, schema_version: int, payload: bytes) -> str | None:
    """Check that this release can read an event. A `CheckPayload`."""
    try:
        CODEC.decode(topic, schema_version, payload)
    except StoredDataError as error:
        return str(error)
    return None


def check_canonical(topic: str, schema_version: int, payload: bytes) -> str | None:
    """Check that this release can read an event and that its payload is canonical. A `CheckPayload`."""
    try:
        canonical = CODEC.is_canonical(topic, schema_version, payload)
    except StoredDataError as error:
        return str(error)
    return None if canonical else f"the payload of this {topic!r} event is not canonical"


def check_stream(version: int, position: int, version_before: int | None, position_before: int | None) -> str | None:
    """Check the version and position of an event against the event before it in its stream, if there is one."""
    expected = (version_before or 0) + 1
    if version != expected:
        return f"has stream version {version} where {expected} is expected"
    if position_before is not None and position_before > position:
        return f"stream version {version} is before version {version_before}, which is at {position_before}"
    return None


def _describe_gap(position: int, previous: int) -> str:
    if position <= previous:
        return f"position {position} follows position {previous}"
    if position == previous + 2:
        return f"position {previous + 1} is missing"
    return f"positions {previous + 1} to {position - 1} are missing"
