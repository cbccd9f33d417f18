"""Latencies of an open loop: counted from when requests were due, without what the sender is to blame for."""

import pytest

from benchmarks.cannot_measure import CannotMeasure
from benchmarks.load.latency import Schedule, Sent, latencies, lateness, percentile
from benchmarks.load.open_loop import CONNECTIONS, GRACE_SECONDS, read_sent, summary

RATE = 100
SECOND = Schedule(RATE, 1)


def on_time(number: int, took: float = 0.002) -> Sent:
    due = number / RATE
    return Sent(number, free=due - 0.001, at=due, answered=due + took)


def kept_waiting(number: int, until: float) -> Sent:
    return Sent(number, free=until, at=until, answered=until + 0.002)


def test_a_request_that_was_sent_on_time_took_what_it_took():
    sent = [on_time(number) for number in range(RATE)]

    assert list(latencies(sent, SECOND, ended=2.0)) == pytest.approx([0.002] * RATE)
    assert list(lateness(sent, SECOND)) == pytest.approx([0.0] * RATE)


def test_what_waited_for_its_connection_counts_from_when_it_was_due():
    sent = [on_time(number) for number in range(99)] + [kept_waiting(99, until=99 / RATE + 0.5)]

    assert list(latencies(sent, SECOND, ended=2.0))[99] == pytest.approx(0.502)
    assert max(lateness(sent, SECOND)) == pytest.approx(0.0)


def test_the_lateness_of_the_sender_is_told_apart_and_not_the_servers():
    late = Sent(7, free=0.01, at=7 / RATE + 0.03, answered=7 / RATE + 0.032)
    sent = [*(on_time(number) for number in range(RATE) if number != 7), late]

    assert list(latencies(sent, SECOND, ended=2.0)) == pytest.approx([0.002] * RATE)
    assert max(lateness(sent, SECOND)) == pytest.approx(0.03)


def test_a_server_that_stalls_for_a_second_is_charged_with_every_request_of_that_second():
    # From the third second to the fourth nobody is answered, and all connections wait.
    sent = [on_time(number) for number in range(10 * RATE) if not 3 * RATE < number < 4 * RATE]
    held = [kept_waiting(number, until=4.0) for number in range(3 * RATE + 1, 4 * RATE)]

    ordered = sorted(latencies([*sent, *held], Schedule(RATE, 10), ended=11.0))

    assert percentile(ordered, 50) == pytest.approx(0.002)
    assert percentile(ordered, 90) < 0.05 < percentile(ordered, 91)
    assert percentile(ordered, 95) == pytest.approx(0.5, abs=0.02)
    assert percentile(ordered, 99.9) == pytest.approx(1.0, abs=0.02)


def test_what_was_due_and_never_answered_counts_to_the_end():
    sent = [on_time(number) for number in range(50)]

    found = list(latencies(sent, SECOND, ended=2.0))

    assert len(found) == RATE
    assert found[55] == pytest.approx(2.0 - 0.55)


def test_the_order_of_answers_does_not_matter():
    sent = [on_time(number, took=number / 1000) for number in range(RATE)]

    assert list(latencies(reversed(sent), SECOND, ended=2.0)) == list(latencies(sent, SECOND, ended=2.0))


def test_the_beginning_is_left_out_by_when_requests_were_due():
    early = [Sent(number, free=0.0, at=1.0, answered=1.9) for number in range(RATE)]
    sent = [*early, *(on_time(number) for number in range(RATE, 2 * RATE))]
    schedule = Schedule(RATE, 2, warm_up=1.0)

    assert list(latencies(sent, schedule, ended=3.0)) == pytest.approx([0.002] * RATE)
    assert list(lateness(sent, schedule)) == pytest.approx([0.0] * RATE)


@pytest.mark.parametrize(
    ("share", "value"), [(50.0, 500), (99.0, 990), (99.9, 999), (100.0, 1000), (0.0, 1), (99.99, 1000)]
)
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(share, value):
    assert percentile(range(1, 1001), share) == value


def test_there_is_no_percentile_of_nothing():
    with pytest.raises(ValueError, match="no percentile"):
        percentile([], 50)


def test_a_run_is_told_in_milliseconds_with_the_lateness_and_the_cost_of_the_sender():
    rows = [f"{n} {n / RATE - 0.001:.6f} {n / RATE + 0.0001:.6f} {n / RATE + 0.0021:.6f}" for n in range(2 * RATE)]

    found = summary(list(read_sent(rows)), Schedule(RATE, 2, warm_up=1.0), cpu_seconds=0.004)

    assert found.requests == 100
    assert found.percentiles == pytest.approx({"50": 2.0, "90": 2.0, "99": 2.0, "99.9": 2.0})
    assert found.worst_ms == pytest.approx(2.0)
    assert found.late_p99_ms == pytest.approx(0.1)
    assert found.load_us == 20.0


def test_what_nobody_answered_counts_until_nobody_waited_any_longer():
    assert summary([], SECOND, cpu_seconds=0.0).worst_ms == 1000 * (1 + GRACE_SECONDS)


def test_a_sender_that_is_late_by_a_turn_of_its_connections_measures_nothing():
    turn = CONNECTIONS / RATE
    sent = [Sent(n, free=0.0, at=n / RATE + turn + 0.001, answered=n / RATE + turn + 0.002) for n in range(RATE)]

    with pytest.raises(CannotMeasure, match=r"late by 641.0 ms or more with one request in a hundred"):
        summary(sent, SECOND, cpu_seconds=0.0)
