"""The counts that a batch of events adds, per minute, hour and day."""

import pytest

from projections.token_activity import DAY, HOUR, MINUTE, ActivityCounts
from tests.builders import NOW, seconds


def counted(counts: ActivityCounts, unit: int) -> dict[tuple[int, str], tuple[int, int, int]]:
    return {(start, client): tuple(count) for of, start, client, *count in counts.rows() if of == unit and any(count)}


@pytest.mark.parametrize("unit", [MINUTE, HOUR, DAY])
@pytest.mark.parametrize(
    ("issued", "revoked", "expected"),
    [
        # When issued and when it expires, as often as issued: it ends when it expires, or when issued if later.
        ([(0, 2 * DAY)], [], {0: (1, 0, 0), 2 * DAY: (0, 0, 1)}),
        ([(0, 0.5), (0, 0.5)], [], {0: (2, 0, 2)}),
        ([(0, -3 * DAY)], [], {0: (1, 0, 1)}),
        # When revoked and when it would have expired: it ends when revoked, unless it had expired.
        ([], [(DAY, 3 * DAY)], {DAY: (0, 1, 1), 3 * DAY: (0, 0, -1)}),
        ([], [(3 * DAY, DAY)], {3 * DAY: (0, 1, 0)}),
    ],
)
def test_token_is_counted_where_issued_revoked_and_ended(unit, issued, revoked, expected):
    counts = ActivityCounts()
    for issued_at, expires_at in issued:
        counts.add_issued("shop", NOW + seconds(issued_at), NOW + seconds(expires_at))
    for revoked_at, expires_at in revoked:
        counts.add_revoked("shop", NOW + seconds(revoked_at), expires_at=NOW + seconds(expires_at), issued_at=NOW)

    start = int(NOW.timestamp())
    assert counted(counts, unit) == {((start + at) // unit * unit, "shop"): count for at, count in expected.items()}


def test_rows_are_in_key_order():
    counts = ActivityCounts()
    for client in ("till", "depot", "shop"):
        counts.add_issued(client, NOW, NOW + seconds(60))
    keys = [row[:3] for row in counts.rows()]
    assert keys == sorted(keys)
