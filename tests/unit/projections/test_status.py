"""The state of a projection, and its rate."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from projections.following.status import STATES, EventRates, state_of
from tests.statuses import AT, status

LIVE = {
    "version": 1,
    "expected_version": 1,
    "stopped": False,
    "building": False,
    "held": True,
    "lag": 0.0,
    "head": 5,
}


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "live"),
        ({"lag": 1.9}, "live"),
        ({"lag": 2.0}, "catching up"),
        ({"held": False}, "not followed"),
        ({"held": False, "lag": 9.0}, "not followed"),
        ({"version": None, "held": False}, "not followed"),
        ({"held": False, "head": 0}, "live"),
        ({"building": True, "held": False}, "rebuilding"),
        ({"version": 2, "building": True}, "stale"),
        ({"expected_version": 2}, "stale"),
        ({"stopped": True, "version": 2, "building": True, "held": False}, "stopped"),
    ],
)
def test_state_is_the_first_that_applies(changes, state):
    assert state_of(**LIVE | changes) == state
    assert state in STATES


@pytest.mark.parametrize("state", STATES)
def test_projection_is_stalled_only_when_stopped_or_stale(state):
    assert status(state=state).is_stalled is (state in {"stopped", "stale"})


class TestEventRates:
    @pytest.mark.parametrize(
        ("looks", "rate"),
        [
            ([(0, 10)], None),
            ([(0, 10), (0, 10)], None),
            ([(0, 10), (0.5, 60)], 100),
            ([(0, 0), (1, 1000), (6, 1000)], 0),  # the first is older than the window
            ([(0, 0), (60, 600)], 10),  # but two are compared even when far apart
            ([(0, 100), (1, 0)], 0),  # the projection was rebuilt
        ],
    )
    def test_rate_is_events_per_second_between_statuses(self, looks, rate):
        rates = EventRates()
        for second, position in looks:
            found = rates.update([replace(status(), position=position, as_of=AT + timedelta(seconds=second))])
        assert found["main", "token_history"] == rate

    def test_each_projection_of_each_log_has_its_own_rate(self):
        rates = EventRates()
        ours, theirs = status(position=0), status(log="other", position=0)
        rates.update([ours, theirs])
        later = AT + timedelta(seconds=1)
        moved = [replace(ours, position=5, as_of=later), replace(theirs, position=7, as_of=later)]
        assert rates.update(moved) == {("main", "token_history"): 5, ("other", "token_history"): 7}
