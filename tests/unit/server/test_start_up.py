"""A signal during start-up stops the service between two steps."""

import asyncio
import signal

import pytest

from api.server.start_up import SIGNALS, StartUpSignals, StoppedDuringStartUp


@pytest.fixture
def start_up():
    before = {number: signal.getsignal(number) for number in SIGNALS}
    made = StartUpSignals()
    made.handle_signals()
    yield made
    for number, handler in before.items():
        signal.signal(number, handler)


async def nothing():
    return "done"


def test_step_returns_its_result_without_a_signal(start_up):
    start_up.check()
    assert start_up.run(nothing) == "done"
    assert not start_up.stop_requested


@pytest.mark.parametrize("number", SIGNALS)
def test_next_step_raises_when_a_signal_came_between_steps(start_up, number):
    signal.raise_signal(number)
    with pytest.raises(StoppedDuringStartUp):
        start_up.check()
    with pytest.raises(StoppedDuringStartUp):
        start_up.run(nothing)


def test_signal_cancels_the_step_which_cleans_up(start_up):
    cleaned = []

    async def step():
        signal.raise_signal(signal.SIGTERM)
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(True)

    with pytest.raises(StoppedDuringStartUp):
        start_up.run(step)
    assert cleaned == [True]


def test_signal_during_loop_creation_stops_the_step(start_up, monkeypatch):
    make = asyncio.new_event_loop

    def interrupted():
        signal.raise_signal(signal.SIGINT)
        return make()

    monkeypatch.setattr(asyncio.events, "new_event_loop", interrupted)
    with pytest.raises(StoppedDuringStartUp):
        start_up.run(nothing)


def test_cancellation_without_a_signal_is_not_a_stop(start_up):
    async def step():
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        start_up.run(step)


def test_second_signal_interrupts_a_hanging_step(start_up):
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_signals_are_ignored_after_ignore_signals(start_up):
    start_up.ignore_signals()
    for number in SIGNALS:
        signal.raise_signal(number)
    assert not start_up.stop_requested
