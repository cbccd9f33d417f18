"""The pace of the sweep, and that it goes on whatever happens."""

import asyncio

import pytest
from structlog.testing import capture_logs

from ledger.domain.errors import Unavailable
from projections.expiry_sweep import (
    GRACE_SECONDS,
    LONGEST_REST,
    LOOK_SECONDS,
    PAGES,
    ExpirySweep,
    rest_seconds,
)


@pytest.mark.parametrize("pages", [1_000, 30_000, 1_000_000])
@pytest.mark.parametrize("walk", [50.0, 590.0, 86_400.0])
def test_a_large_table_is_walked_over_in_the_time_given(pages, walk):
    rest = rest_seconds(pages=pages, walk=walk, worked=0.0)
    steps = pages / PAGES
    assert steps * rest == pytest.approx(min(walk, steps * LONGEST_REST))


@pytest.mark.parametrize("pages", [0, 1, PAGES])
def test_a_small_table_is_looked_at_once_in_that_time_and_once_a_minute_at_least(pages):
    assert rest_seconds(pages=pages, walk=50.0, worked=0.0) == 50.0
    assert rest_seconds(pages=pages, walk=86_400.0, worked=0.0) == LONGEST_REST


@pytest.mark.parametrize("worked", [0.001, 0.5, 30.0])
def test_it_rests_three_times_as_long_as_it_worked_however_far_behind_it_is(worked):
    rest = rest_seconds(pages=10**9, walk=1.0, worked=worked)
    assert rest == pytest.approx(3 * worked)


class Scripted(ExpirySweep):
    """Its steps come to what a script says; its clock is a list of how long it slept."""

    def __init__(self, *outcomes: float | Exception) -> None:
        super().__init__(None, within=60.0, sleep=self._note)
        self._outcomes = list(outcomes)
        self.slept: list[float] = []

    async def step(self) -> float:
        if not self._outcomes:
            raise asyncio.CancelledError
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _note(self, seconds: float) -> None:
        self.slept.append(seconds)


async def run(*outcomes: float | Exception) -> tuple[list[float], list[dict]]:
    sweep = Scripted(*outcomes)
    with capture_logs() as logs, pytest.raises(asyncio.CancelledError):
        await sweep.run()
    return sweep.slept, logs


async def test_it_sleeps_as_long_as_the_step_said():
    assert await run(0.5, 3.0) == ([0.5, 3.0], [])


async def test_a_database_that_is_away_is_asked_again_and_nothing_is_logged():
    assert await run(Unavailable("away"), Unavailable("away"), 7.0) == ([LOOK_SECONDS, LOOK_SECONDS, 7.0], [])


async def test_whatever_else_fails_is_logged_once_and_tried_again():
    defect = RuntimeError("a defect")
    slept, logs = await run(defect, defect, 2.0, defect)
    assert slept == [LOOK_SECONDS, LOOK_SECONDS, 2.0, LOOK_SECONDS]
    assert [line["event"] for line in logs] == ["expired rows are not swept"] * 2


async def test_it_ends_when_it_is_cancelled_while_a_connection_breaks():
    class Breaking(Scripted):
        async def step(self) -> float:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                msg = "away"
                raise Unavailable(msg) from None
            return 0.0

    task = asyncio.create_task(Breaking().run())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_the_time_in_which_every_row_stays_is_part_of_what_was_given():
    assert ExpirySweep(None, within=60.0)._walk + GRACE_SECONDS == 60.0
    assert ExpirySweep(None, within=1.0)._walk == LOOK_SECONDS
