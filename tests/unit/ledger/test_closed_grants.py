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


@pytest.mark.parametrize(("until", "needed", "expected"), [(7, {8}, [JTI]), (6, {8}, []), (3, {8}, []), (10, {7}, [])])
def test_grant_is_open_when_an_event_is_beyond_the_archive_or_needed(until, needed, expected):
    assert closed(ISSUED, REVOKED, until=until, needed=needed) == expected
