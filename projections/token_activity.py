"""Counting what happened to tokens: by the minute, the hour and the day, per client.

`ended` is where a token stops being active: at its expiry, or at its revocation when that came before. So the tokens
active at an instant are those issued before it less those ended before it, and no token has to be looked at.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from ledger.ports import epoch_seconds

MINUTE, HOUR, DAY = 60, 3600, 86400
UNITS = (MINUTE, HOUR, DAY)
"""In seconds."""

Measure = Literal["issued", "revoked", "ended"]
_PLACE: dict[Measure, int] = {"issued": 0, "revoked": 1, "ended": 2}


class ActivityCounts:
    """What a batch of events adds to the counts."""

    def __init__(self) -> None:
        self._minutes: dict[tuple[str, int], list[int]] = {}

    def add_issued(self, client_id: str, recorded_at: datetime, expires_at: datetime) -> None:
        """A token was issued; until something else is known it ends at its expiry."""
        self._add("issued", client_id, recorded_at, 1)
        self._add("ended", client_id, max(expires_at, recorded_at), 1)

    def add_revoked(self, client_id: str, revoked_at: datetime, *, expires_at: datetime, issued_at: datetime) -> None:
        """A token was revoked. All instants but `expires_at` are those of recording."""
        end = max(expires_at, issued_at)
        self._add("revoked", client_id, revoked_at, 1)
        self._add("ended", client_id, end, -1)
        self._add("ended", client_id, min(end, revoked_at), 1)

    def rows(self) -> Iterator[tuple[int, int, str, int, int, int]]:
        """(unit, start, client_id, issued, revoked, ended) for each unit that something is added to, in key order."""
        totals: dict[tuple[int, int, str], list[int]] = {}
        for (client_id, minute), counted in self._minutes.items():
            for unit in UNITS:
                total = totals.setdefault((unit, minute - minute % unit, client_id), [0, 0, 0])
                for place, count in enumerate(counted):
                    total[place] += count
        # In one order everywhere, so that two transactions never wait for each other's rows.
        for (unit, start, client_id), (issued, revoked, ended) in sorted(totals.items()):
            yield unit, start, client_id, issued, revoked, ended

    def _add(self, measure: Measure, client_id: str, at: datetime, count: int) -> None:
        second = epoch_seconds(at)
        counted = self._minutes.setdefault((client_id, second - second % MINUTE), [0, 0, 0])
        counted[_PLACE[measure]] += count
