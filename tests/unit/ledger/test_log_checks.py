"""Checks of a log: each kind of fault is found and described."""

from datetime import timedelta, timezone

import pytest

from ledger.domain.codec import CODEC
from ledger.domain.events import ClientSecretAdded
from ledger.domain.log_checks import (
    LogChecker,
    LogFault,
    LogFaults,
    check_canonical,
    check_readable,
    check_stream,
)
from ledger.domain.recording import LogHead
from tests.builders import NOW, seconds, stored_secret
from tests.sample_logs import changed, small_log

LOG = small_log()
HEAD = LogHead(6, LOG[-1].recorded_at)


def faults_in(log, head=HEAD, *, examine=check_canonical, **place) -> list[LogFault]:
    faults = LogFaults(100)
    checks = LogChecker(faults.add, examine, **place)
    for row in log:
        checks.check(row.position, row.recorded_at, row.topic, row.schema_version, row.payload)
    checks.end(head)
    return faults.first


def test_no_fault_is_found_in_a_sound_log():
    assert faults_in(LOG) == []
    assert faults_in(LOG[2:], after=2) == []
    assert faults_in([], LogHead(0, NOW)) == []


@pytest.mark.parametrize(
    ("log", "head", "expected"),
    [
        (LOG[1:], HEAD, LogFault(2, "position 1 is missing")),
        (LOG[:1] + LOG[4:], HEAD, LogFault(5, "positions 2 to 4 are missing")),
        ([*LOG[:2], LOG[1], *LOG[2:]], HEAD, LogFault(2, "position 2 follows position 2")),
        (LOG[:4], HEAD, LogFault(6, "the log ends at 4 but its head is at 6")),
        ([], HEAD, LogFault(6, "the log ends at 0 but its head is at 6")),
        (
            LOG,
            LogHead(6, NOW),
            LogFault(
                6,
                "the newest event was recorded at 2024-05-06 07:08:12.000001+00:00 "
                "but the head has 2024-05-06 07:08:09+00:00",
            ),
        ),
        (
            changed(LOG, 3, recorded_at=NOW - seconds(1)),
            HEAD,
            LogFault(
                3, "recorded at 2024-05-06 07:08:08+00:00, before its predecessor (2024-05-06 07:08:10.000001+00:00)"
            ),
        ),
        (
            changed(LOG, 2, topic="client.exploded"),
            HEAD,
            LogFault(2, "The topic 'client.exploded' is not known to this version of the service."),
        ),
    ],
)
def test_fault_is_found_once_at_its_position(log, head, expected):
    assert faults_in(log, head) == [expected]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        *(({"schema_version": version}, f"has schema version {version}") for version in (0, 2)),
        *(({"payload": payload}, "cannot be read") for payload in (b"", b"{", b"{}", b"null", b"\xff")),
    ],
)
def test_fault_is_found_when_an_event_cannot_be_read(changes, what):
    (found,) = faults_in(changed(LOG, 3, **changes))
    assert (found.position, what in found.what) == (3, True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'{"audience"', b'{ "audience"'),
        (b'"audience":["shop"],"client_id":"shop"', b'"client_id":"shop","audience":["shop"]'),
        (b'"client_id":"shop"', b'"client_id":"sh\\u006fp"'),
        (b'"client_id":"shop"', b'"client_id":"shop","more":1'),
        (b'"client_id":"shop"', b'"client_id":"first","client_id":"shop"'),
        (b"07:08:09Z", b"07:08:09+00:00"),
        (b"07:08:09Z", b"09:08:09+02:00"),
    ],
)
def test_readable_payload_is_a_fault_when_not_canonical(old, new):
    payload = LOG[2].payload.replace(old, new)
    assert payload != LOG[2].payload
    spoiled = changed(LOG, 3, payload=payload)
    assert faults_in(spoiled) == [LogFault(3, "the payload of this 'token.issued' event is not canonical")]
    assert faults_in(spoiled, examine=check_readable) == []


@pytest.mark.parametrize("field", ["created_at", "expires_at"])
def test_secret_is_not_canonical_when_an_instant_is_not_in_utc(field):
    secret = stored_secret(**{field: NOW.astimezone(timezone(timedelta(hours=2)))})
    payload = CODEC.encode(ClientSecretAdded(client_id="shop", secret=secret))
    assert check_canonical("client.secret_added", 1, payload) is not None


@pytest.mark.parametrize(
    ("version", "position", "before", "fault"),
    [
        (1, 7, (None, None), None),
        (2, 7, (1, 6), None),
        (2, 7, (None, None), "has stream version 2 where 1 is expected"),
        (4, 7, (2, 6), "has stream version 4 where 3 is expected"),
        (2, 7, (1, 9), "stream version 2 is before version 1, which is at 9"),
    ],
)
def test_event_must_follow_the_one_before_it_in_its_stream(version, position, before, fault):
    assert check_stream(version, position, *before) == fault


def test_all_faults_are_counted_and_the_first_are_kept():
    faults = LogFaults(2)
    for position in range(1, 6):
        faults.add(position, "wrong")
    assert (faults.count, [f.position for f in faults.first]) == (5, [1, 2])


class TestLogWithArchives:
    def found(self, *positions, until=4, head=HEAD):
        archived = LogHead(until, LOG[until - 1].recorded_at)
        return faults_in([row for row in LOG if row.position in positions], head, archived=archived)

    @pytest.mark.parametrize(
        ("positions", "faults"),
        [
            *(((*left, 5, 6), []) for left in [(1, 2, 3, 4), (1, 2), (4,), ()]),
            ((1, 2, 6), [LogFault(6, "position 5 is missing")]),
            ((1, 2), [LogFault(6, "the log ends at 4 but its head is at 6")]),
        ],
    )
    def test_gaps_are_faults_only_beyond_the_archives(self, positions, faults):
        assert self.found(*positions) == faults

    def test_log_may_end_with_its_archives(self):
        assert self.found(1, until=6) == []
        assert len(self.found(1, until=6, head=LogHead(6, NOW))) == 1

    def test_fault_is_found_when_recorded_before_the_archives_end(self):
        archived = LogHead(4, HEAD.recorded_at + seconds(1))
        (fault, _) = faults_in(LOG[4:], LogHead(6, NOW), archived=archived)
        assert fault.position == 5
        assert "before its predecessor" in fault.what
