"""One word for how a projection is, and how fast it goes."""

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
def test_the_state_is_the_first_that_applies(changes, state):
    assert state_of(**LIVE | changes) == state
    assert state in STATES


@pytest.mark.parametrize("state", STATES)
def test_stopped_and_stale_need_a_person_and_nothing_else_does(state):
    assert status(state=state).is_stalled is (state in {"stopped", "stale"})


class TestRates:
    @pytest.fixture
    def look(self):
        rates = EventRates()
        return lambda second, position: rates.update(
            [replace(status(), position=position, as_of=AT + timedelta(seconds=second))]
        )["main", "token_history"]

    def test_one_look_gives_none(self, look):
        assert look(0, 10) is None

    def test_two_looks_at_one_instant_give_none(self, look):
        look(0, 10)
        assert look(0, 10) is None

    def test_events_a_second_between_two_looks(self, look):
        look(0, 10)
        assert look(0.5, 60) == 100

    def test_what_is_older_than_the_window_does_not_count(self, look):
        look(0, 0)
        look(1, 1000)
        assert look(6, 1000) == 0

    def test_two_looks_are_enough_however_far_apart(self, look):
        look(0, 0)
        assert look(60, 600) == 10

    def test_a_projection_that_was_begun_anew_does_not_go_backwards(self, look):
        look(0, 100)
        assert look(1, 0) == 0

    def test_each_projection_of_each_log_has_its_own(self):
        rates = EventRates()
        ours, theirs = status(position=0), status(log="other", position=0)
        rates.update([ours, theirs])
        later = AT + timedelta(seconds=1)
        moved = [replace(ours, position=5, as_of=later), replace(theirs, position=7, as_of=later)]
        assert rates.update(moved) == {("main", "token_history"): 5, ("other", "token_history"): 7}
