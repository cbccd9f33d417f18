"""The time window of a summary: whole buckets, at most 1000."""

from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

from ledger.domain.clock import to_epoch_seconds
from ledger.domain.errors import Refusal
from ledger.use_cases.audit import ActivityQuery

Bucket = Literal["minute", "hour", "day"]

BUCKETS: tuple[Bucket, ...] = get_args(Bucket)
SECONDS: dict[Bucket, int] = {"minute": 60, "hour": 3600, "day": 86400}
DEFAULT_BUCKETS = 24
MAX_BUCKETS = 1000
EARLIEST = datetime.fromtimestamp(0, UTC)


class InvalidWindow(Refusal):
    """A window that cannot be summarised; `parameter` is the one to change."""

    def __init__(self, message: str, parameter: str) -> None:
        super().__init__(message)
        self.parameter = parameter


def activity_query(
    *, since: datetime | None, until: datetime | None, bucket: Bucket, client_id: str | None, now: datetime
) -> ActivityQuery:
    """Round `since` down and `until` up to whole buckets; by default the 24 buckets up to now.

    In the current bucket, tokens that will still be active at its end count as active. Raises InvalidWindow.
    """
    width = SECONDS[bucket]
    end = _round_up(now if until is None else until, width)
    if since is None:
        first = end - DEFAULT_BUCKETS * width
    elif since < EARLIEST:
        msg = "since: must not be before 1970"
        raise InvalidWindow(msg, "since")
    else:
        first = to_epoch_seconds(since) // width * width
    if until is not None and until > now + timedelta(seconds=width):
        msg = f"until: must not be in the future; the current time is {now.isoformat()}"
        raise InvalidWindow(msg, "until")
    if first >= end:
        msg = "since: must be before until"
        raise InvalidWindow(msg, "since")
    if end - first > MAX_BUCKETS * width:
        msg = f"since: the window has more than {MAX_BUCKETS} buckets of a {bucket}; use wider buckets"
        raise InvalidWindow(msg, "since")
    return ActivityQuery(
        since=datetime.fromtimestamp(max(first, 0), UTC),
        until=datetime.fromtimestamp(end, UTC),
        bucket=width,
        client_id=client_id,
    )


def _round_up(instant: datetime, width: int) -> int:
    seconds = to_epoch_seconds(instant)
    whole = seconds if instant.microsecond == 0 else seconds + 1
    return -(-whole // width) * width
