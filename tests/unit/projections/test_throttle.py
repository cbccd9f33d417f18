"""A build goes fast while nobody writes, and rests while somebody does."""

import pytest

from projections.rebuilding.throttle import PAGE_POSITIONS, REST_RATIO, SHORT_PAGE_POSITIONS, Throttle


class World:
    """A clock and a log, set by hand; sleeping moves the clock."""

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


async def test_while_nothing_is_appended_it_takes_long_pages_and_no_rest(world):
    for _ in range(5):
        await world.work(0.5, appended=0)
    assert world.slept == []
    assert world.throttle.page_size == PAGE_POSITIONS


async def test_a_few_events_do_not_matter(world):
    await world.work(1.0, appended=0)
    await world.work(1.0, appended=20)
    assert world.slept == []


async def test_while_somebody_writes_it_rests_longer_than_it_works_and_takes_short_pages(world):
    await world.work(0.1, appended=0)
    await world.work(0.1, appended=300)
    assert world.slept == [pytest.approx(0.1 * REST_RATIO)]
    assert world.throttle.page_size == SHORT_PAGE_POSITIONS


async def test_what_came_while_it_rested_is_not_counted_as_what_came_while_it_worked(world):
    await world.work(0.1, appended=0)
    await world.work(0.1, appended=300)
    await world.work(0.1, appended=0)
    assert len(world.slept) == 1
    assert world.throttle.page_size == PAGE_POSITIONS
