"""Parse what operators write on the command line: times, positions, token ids, reasons and files of secrets."""

import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from api.operations.errors import UsageError

SECONDS_PER_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MAX_REASON_LENGTH = 500

INSTANT_EXAMPLES = "2026-03-01T12:00:00Z, 2026-03-01 (midnight UTC), or a time ago: 90m, 24h, 30d"


def parse_future(text: str, flag: str, now: datetime) -> datetime:
    """Parse a time from now: seconds, or a number with s, m, h or d. Raises UsageError."""
    found = re.fullmatch(r"(\d{1,9})([smhd]?)", text)
    if found is None or int(found[1]) == 0:
        msg = f"{flag}: {text!r} is not a time; write seconds, or 90m, 24h, 30d"
        raise UsageError(msg)
    try:
        return now + timedelta(seconds=int(found[1]) * SECONDS_PER_UNIT[found[2] or "s"])
    except OverflowError:
        raise _out_of_range(text, flag) from None


def parse_past(text: str, flag: str, now: datetime) -> datetime:
    """Parse an instant, or a time before now. An instant without an offset is in UTC. Raises UsageError."""
    try:
        if ago := re.fullmatch(r"(\d{1,9})([smhd])", text):
            return now - timedelta(seconds=int(ago[1]) * SECONDS_PER_UNIT[ago[2]])
        instant = datetime.fromisoformat(text.strip().removesuffix(" UTC"))
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise _out_of_range(text, flag) from None
    except ValueError:
        msg = f"{flag}: {text!r} is not an instant; write {INSTANT_EXAMPLES}"
        raise UsageError(msg) from None


def parse_past_or_position(text: str, flag: str, now: datetime) -> datetime | int:
    """Parse a position of the log (a number alone), or what `parse_past` accepts. Raises UsageError."""
    return int(text) if re.fullmatch(r"\d{1,18}", text) else parse_past(text, flag, now)


def parse_jti(text: str) -> UUID:
    """Parse a jti. Raises UsageError, which does not quote the text: it may be a token pasted by mistake."""
    try:
        return UUID(text)
    except ValueError:
        msg = "JTI must be a UUID, such as 0190b5d2-6f3e-7c1a-9a3e-5f1f6f0b7c11: the 'jti' of an introspection response"
        raise UsageError(msg) from None


def check_reason(reason: str) -> str:
    """Return a reason that is one printable line. Raises UsageError."""
    if not reason.strip() or len(reason) > MAX_REASON_LENGTH or not reason.isprintable():
        msg = f"--reason must be 1 to {MAX_REASON_LENGTH} printable characters on one line"
        raise UsageError(msg)
    return reason


def read_secret_file(path: Path, flag: str) -> str:
    """Read a secret from a file, or one line of standard input for '-'. Raises UsageError.

    Secrets are not arguments, because every local user can read the arguments of a command.
    """
    try:
        text = sys.stdin.readline() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        msg = f"{flag}: {path} cannot be read: {reason}"
        raise UsageError(msg) from None
    return text.rstrip("\r\n")


def _out_of_range(text: str, flag: str) -> UsageError:
    return UsageError(f"{flag}: {text!r} is outside the range of the calendar")
