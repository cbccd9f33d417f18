"""A build runs at full speed while the service is idle, and rests while it appends."""

import pytest

from projections.rebuilding.throttle import PAGE_POSITIONS, REST_RATIO, SHORT_PAGE_POSITIONS, Throttle


class World:
    """A clock and an event count set by the test; sleeping moves the clock."""

    def __init__(self):
        self.now, self.events, self.slept = 0.0, 1000, []
        self.throttle = Throttle(self.count, clock=lambda: self.now, sleep=self.sleep)

    async def count(self):
        return self.events

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds

    async def work(self, seconds, appended):
        self.now += seconds
        self.events += appended
        await self.throttle.rest()


@pytest.fixture
def world():
    return World()


async def test_pages_are_long_without_rest_when_nothing_is_appended(world):
    for _ in range(5):
        await world.work(0.5, appended=0)
    assert world.slept == []
    assert world.throttle.page_size == PAGE_POSITIONS


async def test_build_does_not_rest_when_few_events_are_appended(world):
    await world.work(1.0, appended=0)
    await world.work(1.0, appended=20)
    assert world.slept == []


async def test_pages_are_short_with_rests_when_service_is_busy(world):
    await world.work(0.1, appended=0)
    await world.work(0.1, appended=300)
    assert world.slept == [pytest.approx(0.1 * REST_RATIO)]
    assert world.throttle.page_size == SHORT_PAGE_POSITIONS


async def test_events_appended_during_a_rest_are_not_counted(world):
    await world.work(0.1, appended=0)
    await world.work(0.1, appended=300)
    await world.work(0.1, appended=0)
    assert len(world.slept) == 1
    assert world.throttle.page_size == PAGE_POSITIONS
