"""Count what happened to tokens per minute, hour and day, by client.

A token ends at its expiry, or at its revocation if that is earlier. The tokens active at an instant are those issued
before it minus those ended before it, so counting them reads no tokens.
"""

from collections.abc import Iterator
from datetime import datetime

MINUTE, HOUR, DAY = 60, 3600, 86400
UNITS = (MINUTE, HOUR, DAY)
"""In seconds."""

_ISSUED, _REVOKED, _ENDED = range(3)


class ActivityCounts:
    """The counts that a batch of events adds."""

    def __init__(self) -> None:
        self._minutes: dict[tuple[str, int], list[int]] = {}

    def add_issued(self, client_id: str, recorded_at: datetime, expires_at: datetime) -> None:
        """Count an issuance; the token ends at its expiry unless it is revoked."""
        self._minute(client_id, recorded_at)[_ISSUED] += 1
        self._minute(client_id, max(recorded_at, expires_at))[_ENDED] += 1

    def add_revoked(self, client_id: str, revoked_at: datetime, *, expires_at: datetime, issued_at: datetime) -> None:
        """Count a revocation. `revoked_at` and `issued_at` are when the events were recorded."""
        end = max(expires_at, issued_at)
        self._minute(client_id, revoked_at)[_REVOKED] += 1
        self._minute(client_id, end)[_ENDED] -= 1
        self._minute(client_id, min(end, revoked_at))[_ENDED] += 1

    def rows(self) -> Iterator[tuple[int, int, str, int, int, int]]:
        """Yield (unit, start, client_id, issued, revoked, ended) per changed bucket, in key order.

        The order is the same in every transaction, so that two of them cannot deadlock.
        """
        totals: dict[tuple[int, int, str], list[int]] = {}
        for (client_id, minute), counted in self._minutes.items():
            for unit in UNITS:
                start = minute * MINUTE
                total = totals.setdefault((unit, start - start % unit, client_id), [0, 0, 0])
                for index, count in enumerate(counted):
                    total[index] += count
        for (unit, start, client_id), (issued, revoked, ended) in sorted(totals.items()):
            yield unit, start, client_id, issued, revoked, ended

    def _minute(self, client_id: str, at: datetime) -> list[int]:
        key = client_id, int(at.timestamp() // MINUTE)
        counted = self._minutes.get(key)
        if counted is None:
            counted = self._minutes[key] = [0, 0, 0]
        return counted
