"""Counting what happened to tokens: by the minute, the hour and the day, per client.

`ended` is where a token stops being active: at its expiry, or at its revocation when that came before. So the tokens
active at an instant are those issued before it less those ended before it, and no token has to be looked at.
"""

from collections.abc import Iterator
from datetime import datetime

MINUTE, HOUR, DAY = 60, 3600, 86400
UNITS = (MINUTE, HOUR, DAY)
"""In seconds."""

_ISSUED, _REVOKED, _ENDED = range(3)


class ActivityCounts:
    """What a batch of events adds to the counts."""

    def __init__(self) -> None:
        self._minutes: dict[tuple[str, int], list[int]] = {}

    def add_issued(self, client_id: str, recorded_at: datetime, expires_at: datetime) -> None:
        """A token was issued; until something else is known it ends at its expiry."""
        self._minute(client_id, recorded_at)[_ISSUED] += 1
        self._minute(client_id, max(recorded_at, expires_at))[_ENDED] += 1

    def add_revoked(self, client_id: str, revoked_at: datetime, *, expires_at: datetime, issued_at: datetime) -> None:
        """A token was revoked. All instants but `expires_at` are those of recording."""
        end = max(expires_at, issued_at)
        self._minute(client_id, revoked_at)[_REVOKED] += 1
        self._minute(client_id, end)[_ENDED] -= 1
        self._minute(client_id, min(end, revoked_at))[_ENDED] += 1

    def rows(self) -> Iterator[tuple[int, int, str, int, int, int]]:
        """(unit, start, client_id, issued, revoked, ended) for each unit that something is added to, in key order."""
        totals: dict[tuple[int, int, str], list[int]] = {}
        for (client_id, minute), counted in self._minutes.items():
            for unit in UNITS:
                start = minute * MINUTE
                total = totals.setdefault((unit, start - start % unit, client_id), [0, 0, 0])
                for place, count in enumerate(counted):
                    total[place] += count
        # In one order everywhere, so that two transactions never wait for each other's rows.
        for (unit, start, client_id), (issued, revoked, ended) in sorted(totals.items()):
            yield unit, start, client_id, issued, revoked, ended

    def _minute(self, client_id: str, at: datetime) -> list[int]:
        key = client_id, int(at.timestamp() // MINUTE)
        counted = self._minutes.get(key)
        if counted is None:
            counted = self._minutes[key] = [0, 0, 0]
        return counted
