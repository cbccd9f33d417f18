"""A signal while the service starts stops it where nothing is half done."""

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


def test_without_a_signal_a_step_gives_what_it_gives(start_up):
    start_up.check()
    assert start_up.run(nothing) == "done"
    assert not start_up.stop_requested


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_between_steps_is_seen_by_the_next(start_up, number):
    signal.raise_signal(number)
    with pytest.raises(StoppedDuringStartUp):
        start_up.check()
    with pytest.raises(StoppedDuringStartUp):
        start_up.run(nothing)


def test_a_signal_cancels_what_is_awaited_and_lets_it_clean_up(start_up):
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


def test_a_signal_while_the_loop_is_made_leaves_no_half_of_it(start_up, monkeypatch):
    make = asyncio.new_event_loop

    def interrupted():
        signal.raise_signal(signal.SIGINT)
        return make()

    monkeypatch.setattr(asyncio.events, "new_event_loop", interrupted)
    with pytest.raises(StoppedDuringStartUp):
        start_up.run(nothing)


def test_a_step_that_was_cancelled_by_somebody_else_is_not_taken_for_stopped(start_up):
    async def step():
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        start_up.run(step)


def test_a_second_signal_interrupts_a_step_that_hangs(start_up):
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_afterwards_signals_are_ignored(start_up):
    start_up.ignore_signals()
    for number in SIGNALS:
        signal.raise_signal(number)
    assert not start_up.stop_requested
