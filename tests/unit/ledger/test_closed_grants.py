"""Which grants are closed, so that their events may be archived."""

import pytest

from ledger.archive.closed_grants import find_closed_grants
from ledger.domain.recording import EventMapper, StreamEvent
from tests.builders import CAUSE, JTI, NOW, seconds, token_issued, token_revoked
from tests.sample_logs import recorded

ISSUED = recorded(3, NOW, StreamEvent(JTI, 1, token_issued(expires_at=NOW + seconds(60))), CAUSE)
REVOKED = recorded(7, NOW, StreamEvent(JTI, 2, token_revoked()), CAUSE)
EXPIRED = NOW + seconds(60)


def closed(*rows, until=10, before=EXPIRED, needed=frozenset()):
    return find_closed_grants(rows, EventMapper(), until=until, before=before, needed=needed)


def test_grant_is_closed_when_expired_or_revoked():
    assert closed(ISSUED, before=EXPIRED) == [JTI]
    assert closed(ISSUED, before=EXPIRED - seconds(0.000_001)) == []
    assert closed(ISSUED, REVOKED, before=NOW) == [JTI]


@pytest.mark.parametrize(("until", "expected"), [(7, [JTI]), (6, []), (3, []), (2, [])])
def test_grant_is_open_when_it_has_an_event_beyond_the_archive(until, expected):
    assert closed(ISSUED, REVOKED, until=until) == expected


def test_grant_is_open_when_one_of_its_events_is_needed():
    assert closed(ISSUED, REVOKED, needed={7}) == []
    assert closed(ISSUED, REVOKED, needed={8}) == [JTI]
