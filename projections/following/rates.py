"""How fast projections go: events a second over the last few looks at them."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta

from projections.following.status import ProjectionStatus

WINDOW = timedelta(seconds=5)

Key = tuple[str, str]
"""A log and a projection."""


class EventRates:
    """Remembers where projections were, for as long as the window is."""

    def __init__(self) -> None:
        self._seen: dict[Key, deque[tuple[datetime, int]]] = {}

    def look(self, statuses: Iterable[ProjectionStatus]) -> dict[Key, float | None]:
        """Events a second since the oldest look in the window; None after a single look."""
        return {(status.log, status.projection): self._rate(status) for status in statuses}

    def _rate(self, status: ProjectionStatus) -> float | None:
        seen = self._seen.setdefault((status.log, status.projection), deque())
        seen.append((status.as_of, status.position))
        while len(seen) > 2 and status.as_of - seen[0][0] > WINDOW:  # noqa: PLR2004 (a rate takes two looks)
            seen.popleft()
        since, position = seen[0]
        seconds = (status.as_of - since).total_seconds()
        return max(status.position - position, 0) / seconds if seconds > 0 else None
