"""Latencies of an open loop start at the due time and exclude delays of the sender."""

import pytest

from benchmarks.errors import MeasurementError
from benchmarks.load.latency import Schedule, SentRequest, latencies, percentile, sender_lateness
from benchmarks.load.open_loop import CONNECTIONS, GRACE_SECONDS, parse_sent, summarize

RATE = 100
SECOND = Schedule(RATE, 1)


def on_time(number: int, took: float = 0.002) -> SentRequest:
    due = number / RATE
    return SentRequest(number, connection_free=due - 0.001, sent=due, answered=due + took)


def delayed(number: int, until: float) -> SentRequest:
    return SentRequest(number, connection_free=until, sent=until, answered=until + 0.002)


ALL_ON_TIME = [on_time(number) for number in range(RATE)]


@pytest.mark.parametrize(
    ("last", "latency", "lateness"),
    [
        (on_time(99), 0.002, 0.0),
        (delayed(99, until=99 / RATE + 0.5), 0.502, 0.0),  # from the due time, because the connection was busy
        (SentRequest(99, connection_free=0.01, sent=1.02, answered=1.022), 0.002, 0.03),  # the sender was late
    ],
)
def test_latency_starts_at_the_due_time_without_lateness_of_the_sender(last, latency, lateness):
    sent = [*ALL_ON_TIME[:99], last]

    assert list(latencies(sent, SECOND, ended=2.0)) == pytest.approx([0.002] * 99 + [latency])
    assert max(sender_lateness(sent, SECOND)) == pytest.approx(lateness)


def test_stall_counts_for_every_request_due_in_it():
    # From the third second to the fourth there are no responses, and all connections wait.
    sent = [on_time(number) for number in range(10 * RATE) if not 3 * RATE < number < 4 * RATE]
    held = [delayed(number, until=4.0) for number in range(3 * RATE + 1, 4 * RATE)]

    ordered = sorted(latencies([*sent, *held], Schedule(RATE, 10), ended=11.0))

    assert percentile(ordered, 50) == pytest.approx(0.002)
    assert percentile(ordered, 90) < 0.05 < percentile(ordered, 91)
    assert percentile(ordered, 95) == pytest.approx(0.5, abs=0.02)
    assert percentile(ordered, 99.9) == pytest.approx(1.0, abs=0.02)


def test_request_without_a_response_counts_until_the_end_in_any_order():
    sent = [on_time(number, took=number / 1000) for number in range(50)]

    found = list(latencies(reversed(sent), SECOND, ended=2.0))

    assert found == list(latencies(sent, SECOND, ended=2.0))
    assert len(found) == RATE
    assert found[55] == pytest.approx(2.0 - 0.55)


def test_requests_due_in_the_warm_up_are_not_counted():
    early = [SentRequest(number, connection_free=0.0, sent=1.0, answered=1.9) for number in range(RATE)]
    sent = [*early, *(on_time(number) for number in range(RATE, 2 * RATE))]
    schedule = Schedule(RATE, 2, warm_up=1.0)

    assert list(latencies(sent, schedule, ended=3.0)) == pytest.approx([0.002] * RATE)
    assert list(sender_lateness(sent, schedule)) == pytest.approx([0.0] * RATE)


@pytest.mark.parametrize(
    ("share", "value"), [(50.0, 500), (99.0, 990), (99.9, 999), (100.0, 1000), (0.0, 1), (99.99, 1000)]
)
def test_percentile_is_the_smallest_value_that_the_share_does_not_exceed(share, value):
    assert percentile(range(1, 1001), share) == value


def test_percentile_of_no_values_is_refused():
    with pytest.raises(ValueError, match="no percentile"):
        percentile([], 50)


def test_summary_has_milliseconds_and_the_lateness_and_cpu_of_the_sender():
    rows = [f"{n} {n / RATE - 0.001:.6f} {n / RATE + 0.0001:.6f} {n / RATE + 0.0021:.6f}" for n in range(2 * RATE)]

    found = summarize(list(parse_sent(rows)), Schedule(RATE, 2, warm_up=1.0), cpu_seconds=0.004)

    assert found.requests == 100
    assert found.percentiles == pytest.approx({"50": 2.0, "90": 2.0, "99": 2.0, "99.9": 2.0})
    assert found.worst_ms == pytest.approx(2.0)
    assert found.late_p99_ms == pytest.approx(0.1)
    assert found.load_us == 20.0


def test_summary_counts_missing_responses_until_the_grace_period_ends():
    assert summarize([], SECOND, cpu_seconds=0.0).worst_ms == 1000 * (1 + GRACE_SECONDS)


def test_run_is_refused_when_the_sender_is_late_by_a_turn():
    turn = CONNECTIONS / RATE
    sent = [
        SentRequest(n, connection_free=0.0, sent=n / RATE + turn + 0.001, answered=n / RATE + turn + 0.002)
        for n in range(RATE)
    ]

    with pytest.raises(MeasurementError, match=r"late by 641.0 ms or more for one request in a hundred"):
        summarize(sent, SECOND, cpu_seconds=0.0)
