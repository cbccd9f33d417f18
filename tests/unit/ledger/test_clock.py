"""Instants: always with a zone, kept in UTC."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ledger.domain.clock import to_utc, utc_now


def test_the_clock_of_a_running_service_is_in_utc():
    assert utc_now().tzinfo is UTC


def test_an_instant_of_another_zone_is_kept_as_the_same_moment_in_utc():
    lisbon = datetime(2024, 5, 6, 8, 0, tzinfo=timezone(timedelta(hours=1)))

    kept = to_utc(lisbon)

    assert kept == lisbon
    assert kept.isoformat() == "2024-05-06T07:00:00+00:00"


def test_an_instant_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="2024-05-06 08:00:00 has no time zone"):
        to_utc(datetime(2024, 5, 6, 8, 0))  # noqa: DTZ001 (what is refused)
