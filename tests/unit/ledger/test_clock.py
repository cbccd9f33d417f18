"""Instants have a time zone and are converted to UTC."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ledger.domain.clock import to_utc, utc_now


def test_utc_now_is_in_utc():
    assert utc_now().tzinfo is UTC


def test_instant_is_converted_to_utc_when_in_another_zone():
    lisbon = datetime(2024, 5, 6, 8, 0, tzinfo=timezone(timedelta(hours=1)))

    kept = to_utc(lisbon)

    assert kept == lisbon
    assert kept.isoformat() == "2024-05-06T07:00:00+00:00"


def test_instant_is_refused_when_it_has_no_time_zone():
    with pytest.raises(ValueError, match="2024-05-06 08:00:00 has no time zone"):
        to_utc(datetime(2024, 5, 6, 8, 0))  # noqa: DTZ001 (refused)
