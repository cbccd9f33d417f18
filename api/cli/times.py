"""How people write moments and lengths of time on the command line."""

import re
from datetime import UTC, datetime, timedelta

from api.operations.errors import OperationError, UsageError

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

EXAMPLES = "2026-03-01T12:00:00Z, 2026-03-01 (its beginning, in UTC), or how long ago: 90m, 24h, 30d"


def after_now(text: str, name: str, now: datetime) -> datetime:
    """The instant that lies this far ahead: seconds, or a number with s, m, h or d. Raises OperationError."""
    found = re.fullmatch(r"(\d{1,9})([smhd]?)", text)
    if found is None or int(found[1]) == 0:
        msg = f"{name}: {text!r} is not a time; write seconds, or 90m, 24h, 30d"
        raise UsageError(msg)
    try:
        return now + timedelta(seconds=int(found[1]) * UNITS[found[2] or "s"])
    except OverflowError:
        raise _beyond(text, name) from None


def moment_of_past(text: str, name: str, now: datetime) -> datetime:
    """An instant, or so long before now. Without a zone it is in UTC, as all that is printed. Raises OperationError."""
    try:
        if ago := re.fullmatch(r"(\d{1,9})([smhd])", text):
            return now - timedelta(seconds=int(ago[1]) * UNITS[ago[2]])
        instant = datetime.fromisoformat(text.strip().removesuffix(" UTC"))
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise _beyond(text, name) from None
    except ValueError:
        msg = f"{name}: {text!r} is no moment; write {EXAMPLES}"
        raise UsageError(msg) from None


def instant_or_position(text: str, name: str, now: datetime) -> datetime | int:
    """A moment of the past, or a position of the log: a number by itself. Raises OperationError."""
    if re.fullmatch(r"\d{1,18}", text):
        return int(text)
    return moment_of_past(text, name, now)


def _beyond(text: str, name: str) -> OperationError:
    return UsageError(f"{name}: {text!r} is beyond what a calendar holds")
