"""The status of projections: position, lag, holder of the lease, where they stopped, and what they skip."""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

import asyncpg
from msgspec import Struct

from ledger.postgres.logs import Log
from ledger.postgres.statements import load_statements
from projections.following.skips import Skip, read_skips
from projections.projection import Projection

SQL = load_statements("projections.following", "status.sql")

LIVE_LAG_SECONDS = 2.0
"""A projection with a smaller lag is live."""

RATE_WINDOW = timedelta(seconds=5)

Mode = Literal["inline", "catch-up"]
State = Literal["live", "catching up", "rebuilding", "stopped", "stale", "not followed"]
STATES: tuple[State, ...] = ("live", "catching up", "rebuilding", "stopped", "stale", "not followed")
STALLED_STATES: frozenset[State] = frozenset({"stopped", "stale"})


class StoppedEvent(Struct, frozen=True):
    """The event that a projection could not apply. `error` may quote its contents, `error_type` does not."""

    position: int
    topic: str
    error_type: str
    error: str


class BuildStatus(Struct, frozen=True):
    """A rebuild in progress; `position` is in this log, `state` is set by the builder."""

    version: int
    state: str
    position: int
    holder: str
    started_at: datetime


class ProjectionStatus(Struct, frozen=True, kw_only=True):
    """One projection in one log. An inline projection is always at the head.

    `version` is that of its rows, None if there are none; `expected_version` is the one that this release writes.
    `lag_seconds` is the age of the oldest event that is not applied.
    """

    projection: str
    log: str
    mode: Mode
    state: State
    version: int | None
    expected_version: int
    position: int
    head: int
    lag_events: int = 0
    lag_seconds: float = 0.0
    holder: str | None = None
    stopped: StoppedEvent | None = None
    build: BuildStatus | None = None
    skips: Sequence[Skip] = ()
    as_of: datetime

    @property
    def is_stalled(self) -> bool:
        """Whether the projection continues only after an operator has acted."""
        return self.state in STALLED_STATES


class EventRates:
    """Events applied per second, by log and projection, over the last few statuses."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], deque[tuple[datetime, int]]] = {}

    def update(self, statuses: Iterable[ProjectionStatus]) -> dict[tuple[str, str], float | None]:
        """Add statuses and return the rates; None after a single status."""
        return {(status.log, status.projection): self._rate(status) for status in statuses}

    def _rate(self, status: ProjectionStatus) -> float | None:
        seen = self._seen.setdefault((status.log, status.projection), deque())
        seen.append((status.as_of, status.position))
        while len(seen) > 2 and status.as_of - seen[0][0] > RATE_WINDOW:  # noqa: PLR2004 (a rate needs two)
            seen.popleft()
        since, position = seen[0]
        seconds = (status.as_of - since).total_seconds()
        return max(status.position - position, 0) / seconds if seconds > 0 else None


def state_of(
    *, version: int | None, expected_version: int, stopped: bool, building: bool, held: bool, lag: float, head: int
) -> State:
    """Return the state of a catch-up projection: the first that applies. `lag` is in seconds."""
    if stopped:
        return "stopped"
    if version not in {None, expected_version}:
        return "stale"
    if building:
        return "rebuilding"
    if not held and head > 0:
        return "not followed"
    return "live" if lag < LIVE_LAG_SECONDS else "catching up"


async def read_status(log: Log, projections: Sequence[Projection]) -> list[ProjectionStatus]:
    """Read the status of projections in a log. Raises Unavailable."""
    log_id = await log.find_id()
    async with log.database.connection() as connection:
        rows = await connection.fetch(SQL["status"], log_id, [projection.name for projection in projections])
        skips = [[] if p.inline else await read_skips(connection, log_id, p.name) for p in projections]
    return [_status(log.name, *found) for found in zip(projections, rows, skips, strict=True)]


def _status(log: str, projection: Projection, row: asyncpg.Record, skips: Sequence[Skip]) -> ProjectionStatus:
    build = _build(row)
    head, now, since = row["head"], row["now"], row["lagging_since"]
    if projection.inline:
        current = row["version"] == projection.version
        state: State = "stale" if not current else "live" if build is None else "rebuilding"
        position, lag, stopped = head, 0.0, None
    else:
        position = row["position"]
        lag = 0.0 if since is None else max((now - since).total_seconds(), 0.0)
        at = row["stopped_at"]
        stopped = None if at is None else StoppedEvent(at, row["stopped_topic"], row["error_type"] or "", row["error"])
        state = state_of(
            version=row["version"],
            expected_version=projection.version,
            stopped=stopped is not None,
            building=build is not None,
            held=row["held"],
            lag=lag,
            head=head,
        )
    return ProjectionStatus(
        projection=projection.name,
        log=log,
        mode="inline" if projection.inline else "catch-up",
        state=state,
        version=row["version"],
        expected_version=projection.version,
        position=position,
        head=head,
        lag_events=head - position,
        lag_seconds=lag,
        holder=row["holder"] if row["held"] else None,
        stopped=stopped,
        build=build,
        skips=skips,
        as_of=now,
    )


def _build(row: asyncpg.Record) -> BuildStatus | None:
    if row["build_version"] is None:
        return None
    return BuildStatus(
        version=row["build_version"],
        state=row["build_state"],
        position=row["build_position"],
        holder=row["build_holder"],
        started_at=row["build_started_at"],
    )
