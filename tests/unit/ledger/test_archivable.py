"""Which grants are over: what an archive takes out of the log, and what it leaves there."""

import pytest

from ledger.archive.closed_grants import find_closed_grants
from ledger.domain.recording import EventMapper, StreamEvent
from tests.archives import recorded
from tests.builders import CAUSE, JTI, NOW, seconds, token_issued, token_revoked

ISSUED = recorded(3, NOW, StreamEvent(JTI, 1, token_issued(expires_at=NOW + seconds(60))), CAUSE)
REVOKED = recorded(7, NOW, StreamEvent(JTI, 2, token_revoked()), CAUSE)
EXPIRED = NOW + seconds(60)


def closed(*rows, until=10, before=EXPIRED, needed=frozenset()):
    return find_closed_grants(rows, EventMapper(), until=until, before=before, needed=needed)


def test_a_grant_is_closed_from_the_instant_its_token_ends():
    assert closed(ISSUED, before=EXPIRED) == [JTI]
    assert closed(ISSUED, before=EXPIRED - seconds(0.000_001)) == []


def test_a_grant_is_closed_when_it_was_revoked():
    assert closed(ISSUED, REVOKED, before=NOW) == [JTI]


@pytest.mark.parametrize(("until", "expected"), [(7, [JTI]), (6, []), (3, []), (2, [])])
def test_a_grant_with_an_event_behind_the_archive_is_not(until, expected):
    assert closed(ISSUED, REVOKED, until=until) == expected


def test_one_of_which_an_event_is_needed_is_not():
    assert closed(ISSUED, REVOKED, needed={7}) == []
    assert closed(ISSUED, REVOKED, needed={8}) == [JTI]
