"""Latencies of an open loop: counted from when requests were due."""

import pytest

from benchmarks.cannot_measure import CannotMeasure
from benchmarks.load.latency import Sent, latencies_from_due, percentile
from benchmarks.load.vegeta import read_results, summary

RATE = 100


def on_time(number: int, took: float = 0.002) -> Sent:
    return Sent(number, 1000.0 + number / RATE, took)


def test_a_request_that_was_sent_on_time_took_what_it_took():
    sent = [on_time(number) for number in range(RATE)]

    assert latencies_from_due(sent, rate=RATE, scheduled=RATE) == pytest.approx([0.002] * RATE)


def test_what_was_sent_late_counts_from_when_it_was_due():
    late = Sent(7, 1000.0 + 7 / RATE + 0.5, 0.002)

    latencies = latencies_from_due([on_time(0), late], rate=RATE, scheduled=8)

    assert latencies[7] == pytest.approx(0.502)


def test_a_server_that_stalls_for_a_second_is_charged_with_every_request_of_that_second():
    # Ten seconds; from the third to the fourth nobody is answered, and a sender that waits for answers sends nothing.
    sent = [on_time(number) for number in range(10 * RATE) if not 3 * RATE < number < 4 * RATE]
    held = [Sent(number, 1004.0, 0.002) for number in range(3 * RATE + 1, 4 * RATE)]

    ordered = sorted(latencies_from_due([*sent, *held], rate=RATE, scheduled=10 * RATE))

    assert percentile(ordered, 50) == pytest.approx(0.002)
    assert percentile(ordered, 90) < 0.05 < percentile(ordered, 91)
    assert percentile(ordered, 95) == pytest.approx(0.5, abs=0.02)
    assert percentile(ordered, 99.9) == pytest.approx(1.0, abs=0.02)


def test_what_was_due_and_never_sent_counts_to_the_last_answer():
    sent = [on_time(number) for number in range(50)]

    latencies = latencies_from_due(sent, rate=RATE, scheduled=60)

    assert len(latencies) == 60
    assert latencies[55] == pytest.approx(49 / RATE + 0.002 - 55 / RATE)


def test_the_order_of_answers_does_not_matter():
    sent = [on_time(number, took=number / 1000) for number in range(20)]

    forwards = latencies_from_due(sent, rate=RATE, scheduled=20)

    assert latencies_from_due(reversed(sent), rate=RATE, scheduled=20) == forwards


def test_the_beginning_is_left_out_by_when_requests_were_due():
    slow = [on_time(number, took=0.9) for number in range(RATE)]
    sent = [*slow, *(on_time(number) for number in range(RATE, 2 * RATE))]

    latencies = latencies_from_due(sent, rate=RATE, scheduled=2 * RATE, warm_up=1.0)

    assert latencies == pytest.approx([0.002] * RATE)


@pytest.mark.parametrize(
    ("share", "value"), [(50.0, 500), (99.0, 990), (99.9, 999), (100.0, 1000), (0.0, 1), (99.99, 1000)]
)
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(share, value):
    assert percentile(range(1, 1001), share) == value


def test_there_is_no_percentile_of_nothing():
    with pytest.raises(ValueError, match="no percentile"):
        percentile([], 50)


def row(number: int, *, status: int = 200, error: str = "") -> str:
    sent_at = 1_000_000_000_000 + number * 10_000_000
    return f"{sent_at},{status},2000000,10,20,{error},,,{number},POST,http://127.0.0.1:1/introspect,"


def test_results_of_vegeta_are_read_in_milliseconds():
    found = summary(read_results([row(number) for number in range(200)]), rate=RATE, seconds=2)

    assert found.requests == 100
    assert found.percentiles == {"50": 2.0, "90": 2.0, "99": 2.0, "99.9": 2.0}
    assert found.worst_ms == 2.0


def test_an_answer_that_is_no_success_ends_the_measurement():
    with pytest.raises(CannotMeasure, match="/introspect was answered 503 Unavailable"):
        summary(read_results([row(0), row(1, status=503, error="Unavailable")]), rate=RATE, seconds=1)
