"""How the projections of a log are: where each is, who follows, what it stopped at, what was skipped."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol

import asyncpg
from msgspec import Struct

from ledger.domain.clock import Clock
from ledger.postgres.logs import NO_LOG, Log
from ledger.postgres.statements import load_statements
from projections.following.skips import Skip, read_skips

SQL = load_statements("projections.following", "status.sql")

LIVE_LAG_SECONDS = 2.0
"""How far behind the log a projection may be, in seconds, and still count as live."""

Mode = Literal["inline", "catch-up"]
State = Literal["live", "catching up", "rebuilding", "stopped", "stale", "not followed"]
STATES: tuple[State, ...] = ("live", "catching up", "rebuilding", "stopped", "stale", "not followed")
STALLED_STATES: frozenset[State] = frozenset({"stopped", "stale"})
"""States that nothing but a person ends."""


class Declared(Protocol):
    """What has to be known of a projection to find out how it is."""

    @property
    def name(self) -> str: ...  # noqa: D102 (as in Projection)

    @property
    def version(self) -> int: ...  # noqa: D102


class StoppedEvent(Struct, frozen=True):
    """The event that a projection could not apply. `error` may quote what the event holds."""

    position: int
    topic: str
    error: str


class BuildStatus(Struct, frozen=True):
    """A projection being built anew beside its live tables; `state` is what whoever builds says of it."""

    version: int
    state: str
    position: int
    holder: str
    started_at: datetime


class ProjectionStatus(Struct, frozen=True, kw_only=True):
    """One projection in one log. An inline one is at the head by construction.

    `version` is that of its rows, None while there are none; `expected_version` is what this release would write.
    `lag_seconds` is how long the oldest event that is not applied has been waiting.
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
        """Whether it goes on only once somebody does something."""
        return self.state in STALLED_STATES


def state_of(
    *, version: int | None, expected_version: int, stopped: bool, building: bool, held: bool, lag: float, head: int
) -> State:
    """The one word for how a catch-up projection is: the first that applies. `lag` is in seconds."""
    if stopped:
        return "stopped"
    if version not in {None, expected_version}:
        return "stale"
    if building:
        return "rebuilding"
    if not held and head > 0:
        return "not followed"
    return "live" if lag < LIVE_LAG_SECONDS else "catching up"


async def read_status(
    log: Log, *, inline: Sequence[Declared], catch_up: Sequence[Declared], clock: Clock
) -> list[ProjectionStatus]:
    """How the projections of a log are, inline ones first. `clock` is for a log that is not there yet.

    Raises Unavailable.
    """
    log_id = await log.find_id()
    by_name = {declared.name: declared for declared in (*inline, *catch_up)}
    async with log.database.connection() as connection:
        rows = await connection.fetch(SQL["status"], log_id, list(by_name)) if log_id != NO_LOG else []
        found = {row["name"]: row for row in rows}
        skips = {declared.name: await read_skips(connection, log_id, declared.name) for declared in catch_up}
    now = rows[0]["now"] if rows else clock()
    return [
        *(_inline(declared, log.name, found.get(declared.name), now) for declared in inline),
        *(_catch_up(d, log.name, found.get(d.name), now, skips[d.name]) for d in catch_up),
    ]


def _inline(declared: Declared, log: str, row: asyncpg.Record | None, now: datetime) -> ProjectionStatus:
    head = row["head"] if row else 0
    build = _build(row)
    version = row["version"] if row else declared.version
    state: State = "rebuilding" if build else "live"
    return ProjectionStatus(
        projection=declared.name,
        log=log,
        mode="inline",
        state=state if version == declared.version else "stale",
        version=version,
        expected_version=declared.version,
        position=head,
        head=head,
        build=build,
        as_of=now,
    )


def _catch_up(
    declared: Declared, log: str, row: asyncpg.Record | None, now: datetime, skips: Sequence[Skip]
) -> ProjectionStatus:
    if row is None:
        return ProjectionStatus(
            projection=declared.name,
            log=log,
            mode="catch-up",
            state="live",
            version=None,
            expected_version=declared.version,
            position=0,
            head=0,
            as_of=now,
        )
    lag = 0.0 if row["behind_since"] is None else max((now - row["behind_since"]).total_seconds(), 0.0)
    build = _build(row)
    stopped = None if row["stopped_at"] is None else StoppedEvent(row["stopped_at"], row["stopped_topic"], row["error"])
    return ProjectionStatus(
        projection=declared.name,
        log=log,
        mode="catch-up",
        state=state_of(
            version=row["version"],
            expected_version=declared.version,
            stopped=stopped is not None,
            building=build is not None,
            held=row["held"],
            lag=lag,
            head=row["head"],
        ),
        version=row["version"],
        expected_version=declared.version,
        position=row["position"],
        head=row["head"],
        lag_events=row["head"] - row["position"],
        lag_seconds=lag,
        holder=row["holder"] if row["held"] else None,
        stopped=stopped,
        build=build,
        skips=skips,
        as_of=now,
    )


def _build(row: asyncpg.Record | None) -> BuildStatus | None:
    if row is None or row["build_version"] is None:
        return None
    return BuildStatus(
        version=row["build_version"],
        state=row["build_state"],
        position=row["build_position"],
        holder=row["build_holder"],
        started_at=row["build_started_at"],
    )
