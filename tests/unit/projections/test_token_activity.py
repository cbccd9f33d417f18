"""What a batch of events adds to the counts of minutes, hours and days."""

from datetime import timedelta

from projections.token_activity import DAY, HOUR, MINUTE, ActivityCounts
from tests.builders import NOW

MINUTES = timedelta(minutes=1)


def counted(counts: ActivityCounts, unit: int) -> dict[tuple[int, str], tuple[int, int, int]]:
    return {(start, client): tuple(count) for of, start, client, *count in counts.rows() if of == unit and any(count)}


def bucket(at, unit: int) -> int:
    return int(at.timestamp()) // unit * unit


def test_an_issuance_ends_at_its_expiry_until_something_else_is_known():
    counts = ActivityCounts()
    counts.add_issued("shop", NOW, NOW + timedelta(days=2))
    for unit in (MINUTE, HOUR, DAY):
        assert counted(counts, unit) == {
            (bucket(NOW, unit), "shop"): (1, 0, 0),
            (bucket(NOW + timedelta(days=2), unit), "shop"): (0, 0, 1),
        }


def test_what_happens_in_one_bucket_is_one_row():
    counts = ActivityCounts()
    counts.add_issued("shop", NOW, NOW + timedelta(seconds=1))
    counts.add_issued("shop", NOW, NOW + timedelta(seconds=1))
    assert counted(counts, MINUTE) == {(bucket(NOW, MINUTE), "shop"): (2, 0, 2)}


def test_a_revocation_moves_the_end_to_itself():
    counts = ActivityCounts()
    revoked_at, expires_at = NOW + 3 * MINUTES, NOW + 60 * MINUTES
    counts.add_revoked("shop", revoked_at, expires_at=expires_at, issued_at=NOW)
    assert counted(counts, MINUTE) == {
        (bucket(revoked_at, MINUTE), "shop"): (0, 1, 1),
        (bucket(expires_at, MINUTE), "shop"): (0, 0, -1),
    }


def test_a_revocation_recorded_after_the_expiry_moves_no_end():
    counts = ActivityCounts()
    revoked_at = NOW + 9 * MINUTES
    counts.add_revoked("shop", revoked_at, expires_at=NOW + 5 * MINUTES, issued_at=NOW)
    assert counted(counts, MINUTE) == {(bucket(revoked_at, MINUTE), "shop"): (0, 1, 0)}


def test_a_token_that_had_expired_when_it_was_recorded_ends_where_it_begins():
    counts = ActivityCounts()
    counts.add_issued("shop", NOW, NOW - 90 * MINUTES)
    assert counted(counts, MINUTE) == {(bucket(NOW, MINUTE), "shop"): (1, 0, 1)}


def test_rows_come_in_the_order_of_their_key_whatever_came_first():
    counts = ActivityCounts()
    for client in ("till", "depot", "shop"):
        counts.add_issued(client, NOW, NOW + MINUTES)
    keys = [row[:3] for row in counts.rows()]
    assert keys == sorted(keys)
