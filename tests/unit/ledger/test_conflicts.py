"""Which writes of a batch may be recorded."""

from uuid import UUID

import pytest

from ledger.domain.conflicts import find_conflicts, streams_of
from ledger.domain.recording import StreamGuard, VersionConflict, Write
from tests.builders import row

A, B, C = UUID(int=1), UUID(int=2), UUID(int=3)


def write(*rows, guards=()):
    return Write(rows, guards)


def recorded(writes, versions=None):
    """For each write whether it may be recorded."""
    conflicts = list(find_conflicts(writes, versions or {}))
    assert all(one is None or isinstance(one, VersionConflict) for one in conflicts)
    return [one is None for one in conflicts]


def test_an_empty_batch_has_no_conflicts():
    assert recorded([]) == []


class TestVersions:
    @pytest.mark.parametrize(
        ("at", "version", "fits"),
        [(0, 1, True), (0, 2, False), (3, 4, True), (3, 3, False), (3, 5, False), (3, 1, False)],
    )
    def test_an_event_must_be_the_next_of_its_stream(self, at, version, fits):
        assert recorded([write(row(A, version))], {A: at}) == [fits]

    def test_a_stream_that_is_not_named_is_empty(self):
        assert recorded([write(row(A, 1)), write(row(B, 2))], {C: 5}) == [True, False]

    def test_events_of_one_write_follow_each_other(self):
        assert recorded([write(row(A, 1), row(A, 2), row(A, 3))]) == [True]

    @pytest.mark.parametrize("versions", [(1, 3), (2, 1), (1, 1), (1, 2, 2)])
    def test_versions_within_a_write_are_dense_and_ascending(self, versions):
        assert recorded([write(*(row(A, version) for version in versions))]) == [False]

    def test_a_write_may_span_streams(self):
        assert recorded([write(row(A, 1), row(B, 8), row(A, 2))], {B: 7}) == [True]

    def test_one_event_that_does_not_fit_refuses_the_whole_write(self):
        assert recorded([write(row(A, 1), row(B, 2))]) == [False]


class TestWithinABatch:
    def test_the_first_of_two_at_one_place_wins(self):
        assert recorded([write(row(A, 1)), write(row(A, 1))]) == [True, False]

    def test_a_later_write_may_follow_an_earlier_one(self):
        assert recorded([write(row(A, 1)), write(row(A, 2)), write(row(A, 3))]) == [True, True, True]

    def test_the_order_of_the_batch_counts(self):
        assert recorded([write(row(A, 2)), write(row(A, 1))]) == [False, True]

    def test_a_refused_write_leaves_no_trace_in_any_of_its_streams(self):
        refused = write(row(A, 1), row(B, 9))

        assert recorded([refused, write(row(A, 1)), write(row(B, 1))]) == [False, True, True]

    def test_a_refusal_does_not_disturb_the_others(self):
        assert recorded([write(row(A, 1)), write(row(B, 5)), write(row(C, 1))]) == [True, False, True]


class TestGuards:
    @pytest.mark.parametrize(("at", "fits"), [(4, True), (3, False), (5, False)])
    def test_a_guard_holds_at_exactly_its_version(self, at, fits):
        assert recorded([write(row(A, 1), guards=[StreamGuard(B, 4)])], {B: at}) == [fits]

    def test_a_guard_at_version_0_asks_that_the_stream_does_not_exist(self):
        assert recorded([write(row(A, 1), guards=[StreamGuard(B, 0)])]) == [True]
        assert recorded([write(row(A, 1), guards=[StreamGuard(B, 0)])], {B: 1}) == [False]

    def test_every_guard_must_hold(self):
        guards = [StreamGuard(B, 1), StreamGuard(C, 2)]

        assert recorded([write(row(A, 1), guards=guards)], {B: 1, C: 2}) == [True]
        assert recorded([write(row(A, 1), guards=guards)], {B: 1, C: 1}) == [False]

    def test_a_guard_sees_earlier_writes_of_the_batch(self):
        guarded = write(row(A, 1), guards=[StreamGuard(B, 1)])

        assert recorded([write(row(B, 2)), guarded], {B: 1}) == [True, False]
        assert recorded([guarded, write(row(B, 2))], {B: 1}) == [True, True]

    def test_a_guard_does_not_see_a_write_that_was_refused(self):
        refused = write(row(B, 9))

        assert recorded([refused, write(row(A, 1), guards=[StreamGuard(B, 1)])], {B: 1}) == [False, True]

    def test_a_guard_moves_nothing(self):
        guarded = write(row(A, 1), guards=[StreamGuard(B, 1)])

        assert recorded([guarded, write(row(B, 2))], {B: 1}) == [True, True]


def test_a_conflict_says_which_stream_and_where_it_is():
    (event, guard) = find_conflicts([write(row(A, 2)), write(row(A, 1), guards=[StreamGuard(B, 2)])], {B: 7})

    assert str(event) == f"stream {A} is at version 0, not at 1"
    assert (guard.stream_id, guard.version, guard.required) == (B, 7, 2)


def test_the_versions_handed_in_are_left_alone():
    versions = {A: 1}

    recorded([write(row(A, 2))], versions)

    assert versions == {A: 1}


def test_the_streams_that_matter_are_those_written_and_those_guarded():
    assert streams_of([write(row(A, 1), row(A, 2)), write(row(B, 1), guards=[StreamGuard(C, 1)])]) == {A, B, C}
