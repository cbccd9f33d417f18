"""The schedule of the expiry sweep, and that it survives every error."""

import asyncio

import pytest
from structlog.testing import capture_logs

from ledger.domain.errors import Unavailable
from projections.expiry_sweep import (
    GRACE_SECONDS,
    MAX_REST_SECONDS,
    POLL_SECONDS,
    STEP_PAGES,
    ExpirySweep,
    rest_seconds,
)


@pytest.mark.parametrize("pages", [1_000, 30_000, 1_000_000])
@pytest.mark.parametrize("walk", [50.0, 590.0, 86_400.0])
def test_large_table_is_walked_in_the_time_given(pages, walk):
    rest = rest_seconds(pages=pages, walk=walk)
    steps = pages / STEP_PAGES
    assert steps * rest == pytest.approx(min(walk, steps * MAX_REST_SECONDS))


@pytest.mark.parametrize("pages", [0, 1, STEP_PAGES])
def test_rest_is_at_most_a_minute_when_table_is_small(pages):
    assert rest_seconds(pages=pages, walk=50.0) == 50.0
    assert rest_seconds(pages=pages, walk=86_400.0) == MAX_REST_SECONDS


DEFECT = RuntimeError("a defect")


class Scripted(ExpirySweep):
    """A sweep whose steps have the given outcomes; it records its sleeps."""

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


@pytest.mark.parametrize(
    ("outcomes", "slept", "logged"),
    [
        ((0.5, 3.0), [0.5, 3.0], 0),
        ((Unavailable("away"), Unavailable("away"), 7.0), [POLL_SECONDS, POLL_SECONDS, 7.0], 0),
        ((DEFECT, DEFECT, 2.0, DEFECT), [POLL_SECONDS, POLL_SECONDS, 2.0, POLL_SECONDS], 2),  # once while it repeats
    ],
)
async def test_sweep_sleeps_as_the_step_returned_and_polls_after_errors(outcomes, slept, logged):
    found, logs = await run(*outcomes)
    assert found == slept
    assert [line["event"] for line in logs] == ["background task failed"] * logged


async def test_sweep_ends_when_cancelled_as_a_connection_breaks():
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


def test_walk_time_excludes_the_grace_period():
    assert ExpirySweep(None, within=60.0)._walk + GRACE_SECONDS == 60.0
    assert ExpirySweep(None, within=1.0)._walk == POLL_SECONDS
