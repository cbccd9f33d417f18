from datetime import UTC, datetime, timedelta

import pytest

from api.cli.arguments import parse_future, parse_past, parse_past_or_position
from api.operations.errors import OperationError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-02-28T12:00:00Z", datetime(2026, 2, 28, 12, tzinfo=UTC)),
        ("2026-02-28T12:00:00.25+02:00", datetime(2026, 2, 28, 10, microsecond=250000, tzinfo=UTC)),
        ("2026-02-28 12:00:00 UTC", datetime(2026, 2, 28, 12, tzinfo=UTC)),
        ("2026-02-28 12:00", datetime(2026, 2, 28, 12, tzinfo=UTC)),
        ("2026-02-28", datetime(2026, 2, 28, tzinfo=UTC)),
        ("90m", NOW - timedelta(minutes=90)),
        ("30d", NOW - timedelta(days=30)),
    ],
)
def test_past_is_parsed_from_instants_and_durations(text, moment):
    assert parse_past(text, "--since", NOW) == moment


@pytest.mark.parametrize("text", ["", "noon", "-5m", "5 m", "2026-13-01", "17", "tomorrow"])
def test_past_is_refused_with_examples_when_invalid(text):
    with pytest.raises(OperationError, match=r"^--since: .* is not an instant; write 2026-03-01T12:00:00Z, "):
        parse_past(text, "--since", NOW)


@pytest.mark.parametrize("text", ["999999999d", "0001-01-01T00:00:00+14:00"])
def test_past_is_refused_when_out_of_range(text):
    with pytest.raises(OperationError, match="outside the range of the calendar"):
        parse_past(text, "--since", NOW)


def test_number_alone_is_parsed_as_a_position():
    assert parse_past_or_position("17", "--as-of", NOW) == 17
    assert parse_past_or_position("0", "--as-of", NOW) == 0
    assert parse_past_or_position("17m", "--as-of", NOW) == NOW - timedelta(minutes=17)


def test_future_is_parsed_from_durations():
    assert parse_future("3600", "--after", NOW) == parse_future("1h", "--after", NOW) == NOW + timedelta(hours=1)
