"""The counts that a batch of events adds, per minute, hour and day."""

from datetime import timedelta

from projections.token_activity import DAY, HOUR, MINUTE, ActivityCounts
from tests.builders import NOW

MINUTES = timedelta(minutes=1)


def counted(counts: ActivityCounts, unit: int) -> dict[tuple[int, str], tuple[int, int, int]]:
    return {(start, client): tuple(count) for of, start, client, *count in counts.rows() if of == unit and any(count)}


def bucket(at, unit: int) -> int:
    return int(at.timestamp()) // unit * unit


def test_token_ends_at_its_expiry_when_not_revoked():
    counts = ActivityCounts()
    counts.add_issued("shop", NOW, NOW + timedelta(days=2))
    for unit in (MINUTE, HOUR, DAY):
        assert counted(counts, unit) == {
            (bucket(NOW, unit), "shop"): (1, 0, 0),
            (bucket(NOW + timedelta(days=2), unit), "shop"): (0, 0, 1),
        }


def test_counts_are_one_row_when_in_one_bucket():
    counts = ActivityCounts()
    counts.add_issued("shop", NOW, NOW + timedelta(seconds=1))
    counts.add_issued("shop", NOW, NOW + timedelta(seconds=1))
    assert counted(counts, MINUTE) == {(bucket(NOW, MINUTE), "shop"): (2, 0, 2)}


def test_token_ends_at_its_revocation_when_revoked():
    counts = ActivityCounts()
    revoked_at, expires_at = NOW + 3 * MINUTES, NOW + 60 * MINUTES
    counts.add_revoked("shop", revoked_at, expires_at=expires_at, issued_at=NOW)
    assert counted(counts, MINUTE) == {
        (bucket(revoked_at, MINUTE), "shop"): (0, 1, 1),
        (bucket(expires_at, MINUTE), "shop"): (0, 0, -1),
    }


def test_token_ends_at_its_expiry_when_revoked_after_it():
    counts = ActivityCounts()
    revoked_at = NOW + 9 * MINUTES
    counts.add_revoked("shop", revoked_at, expires_at=NOW + 5 * MINUTES, issued_at=NOW)
    assert counted(counts, MINUTE) == {(bucket(revoked_at, MINUTE), "shop"): (0, 1, 0)}


def test_token_ends_at_its_issuance_when_issued_expired():
    counts = ActivityCounts()
    counts.add_issued("shop", NOW, NOW - 90 * MINUTES)
    assert counted(counts, MINUTE) == {(bucket(NOW, MINUTE), "shop"): (1, 0, 1)}


def test_rows_are_in_key_order():
    counts = ActivityCounts()
    for client in ("till", "depot", "shop"):
        counts.add_issued(client, NOW, NOW + MINUTES)
    keys = [row[:3] for row in counts.rows()]
    assert keys == sorted(keys)
