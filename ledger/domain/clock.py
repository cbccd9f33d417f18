"""Time is an argument: what the ledger asks of a clock."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the present instant, timezone-aware UTC."""

RandomBytes = Callable[[int], bytes]
"""Gives that many unpredictable bytes; `secrets.token_bytes` outside of tests."""


def to_utc(instant: datetime) -> datetime:
    """The same moment in UTC, as events hold it. Raises ValueError for one without a zone."""
    if instant.tzinfo is None:
        msg = f"the instant {instant} has no time zone"
        raise ValueError(msg)
    return instant.astimezone(UTC)


def utc_now() -> datetime:
    """The clock of a running service."""
    return datetime.now(UTC)
