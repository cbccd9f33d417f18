"""Time and randomness, which are arguments everywhere."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the current instant in UTC, timezone-aware."""

RandomBytes = Callable[[int], bytes]
"""Returns that many unpredictable bytes; `secrets.token_bytes` outside of tests."""


def utc_now() -> datetime:
    """Read the clock of a running service."""
    return datetime.now(UTC)


def to_utc(instant: datetime) -> datetime:
    """Convert an instant to UTC, as events hold it. Raises ValueError if it has no time zone."""
    if instant.tzinfo is None:
        msg = f"the instant {instant} has no time zone"
        raise ValueError(msg)
    return instant.astimezone(UTC)


def to_epoch_seconds(instant: datetime) -> int:
    """Convert an instant to whole seconds since 1970, rounded down."""
    return int(instant.timestamp() // 1)
