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


@pytest.mark.parametrize(
    ("work", "rests", "page_size"),
    [
        ([(0.5, 0)] * 5, 0, PAGE_POSITIONS),
        ([(1.0, 0), (1.0, 20)], 0, PAGE_POSITIONS),  # few events are appended
        ([(0.1, 0), (0.1, 300)], 1, SHORT_PAGE_POSITIONS),
        ([(0.1, 0), (0.1, 300), (0.1, 0)], 1, PAGE_POSITIONS),  # those appended during the rest do not count
    ],
)
async def test_pages_are_short_with_rests_when_the_service_is_busy(work, rests, page_size):
    world = World()
    for seconds, appended in work:
        await world.work(seconds, appended)
    assert world.slept == [pytest.approx(0.1 * REST_RATIO)] * rests
    assert world.throttle.page_size == page_size
