"""Compare the views with the log while the service runs, a page at a time, and report every difference.

A round compares every row of `clients` and `active_tokens` with the fold of its stream, and then, for every stream in
the log, the rows that it should have, with those of `token_history`. The rows and events of a page are read in one
snapshot. Processes share a round: the one that locks the log's row of `view_checks` compares the next page, so only one
compares a log at a time. Nothing is repaired.

What cannot be judged is left out: a row whose events are archived, a row that may have been swept, and a view whose
version is not that of this release. `event_index` and `token_activity` are not compared.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from time import monotonic
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import structlog
from msgspec import Struct, field

from ledger.domain.client import fold_client
from ledger.domain.errors import StoredDataError
from ledger.domain.events import EVENT_TYPES, ClientEvent, TokenIssued, TokenRevoked
from ledger.domain.grant import fold_grant
from ledger.domain.identifiers import client_stream_id
from ledger.domain.recording import EventMapper, RecordedEvent
from ledger.postgres.database import Connection, Database
from ledger.postgres.logs import NO_LOG, Log
from ledger.postgres.rows import recorded_event
from ledger.postgres.statements import load_statements
from projections.active_tokens import COLUMNS as TOKEN_COLUMNS
from projections.active_tokens import active_token_row
from projections.background import repeat_steps
from projections.catalogue import PROJECTIONS
from projections.clients import encode_client
from projections.following.skips import skipped_positions
from projections.projection import Projected
from projections.token_history import ISSUED, REVOKED, issued_values, revoked_values

SQL = load_statements("projections", "view_check.sql")

PAGE_ROWS = 200
"""Rows, or positions of the log, per page: some milliseconds of work."""

MAX_REST_SECONDS = 60.0
"""Longest rest between two pages, so that a small ledger is compared every few minutes."""

REST_PER_WORK = 3.0
"""Rest this many times as long as a page took, so that the comparison works a quarter of the time at most."""

POLL_SECONDS = 1.0
"""Pause while the database is away, or a log has no events."""

WALKS = ("clients", "active_tokens", "log")
"""The parts of a round, in order."""

KEYS = {"clients": "client_id", "active_tokens": "digest", "token_history": "issued_position"}
SHOWN_KEYS = {**KEYS, "active_tokens": "jti"}
"""The columns by which rows are found, and those that name a row in reports: never the digest of a token."""

MIN_POSITION, MAX_POSITION = -(2**63), 2**63 - 1
TOPICS = [event_type.TOPIC for event_type in EVENT_TYPES]

Row = Mapping[str, Any]
Rows = dict[Any, Row]


class ViewDifference(Struct, frozen=True):
    """A row of a view that is not what the log says. `key` names it without secrets."""

    projection: str
    key: str
    found: str


class ViewCheckResult(Struct, frozen=True):
    """What the comparison of a log has found: rows compared since it was first turned on, and differences.

    `age_seconds` is the time since the last complete round started, None before the first. Tampering from before then
    has been found.
    """

    log: str
    rows: int
    differences: int
    first_differences: Sequence[str] = ()
    age_seconds: float | None = None


class ExpectedRows(Struct):
    """The rows that streams fold to, by view and key, and the streams that do not fold."""

    views: dict[str, Rows] = field(default_factory=lambda: {view: {} for view in KEYS})
    unreadable: list[ViewDifference] = field(default_factory=list)


class Page(Struct):
    """The result of a page, and where the next one starts; `walk` is None at the end of a round."""

    walk: str | None
    after: str
    rows: int = 0
    differences: list[ViewDifference] = field(default_factory=list)


def rest_seconds(*, rows: int, period: float) -> float:
    """The rest after a page, so that a round over so many rows takes `period`. In seconds."""
    return min(period * PAGE_ROWS / max(rows, PAGE_ROWS), MAX_REST_SECONDS)


class ViewCheck:
    """Compares the views of some logs with the logs."""

    def __init__(
        self, logs: Sequence[Log], *, within: float, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """A round takes `within` seconds at most, if the database keeps up."""
        self._logs = logs
        self._period = within
        self._sleep = sleep
        self._mapper = EventMapper()

    async def run(self) -> None:
        """Compare until cancelled, whatever happens to the database."""
        await repeat_steps(self.step, task="view check", poll=POLL_SECONDS, sleep=self._sleep)

    async def step(self) -> float:
        """Compare the next page of each log that is due; return in how many seconds to poll again.

        Raises Unavailable, SerializationError.
        """
        return min([await self._step(log) for log in self._logs], default=MAX_REST_SECONDS)

    async def _step(self, log: Log) -> float:
        log_id = await log.find_id()
        if log_id == NO_LOG:
            return POLL_SECONDS
        started = monotonic()
        async with log.database.connection() as connection, connection.transaction(isolation="repeatable_read"):
            await connection.execute(SQL["lock"])
            taken = await connection.fetchrow(SQL["take"], log_id)
            assert taken is not None, "the function returns one row"
            if taken["rest"] > 0:
                return min(float(taken["rest"]), MAX_REST_SECONDS)
            bounds = await connection.fetchrow(SQL["bounds"], log_id)
            assert bounds is not None, "the log exists"
            comparison = _Comparison(connection, log_id, bounds, self._mapper)
            page = await comparison.compare_page(taken["view"] or WALKS[0], taken["after"] or "")
            rest = rest_seconds(rows=bounds["total"], period=self._period)
            rest = max(rest, REST_PER_WORK * (monotonic() - started))
            texts = [f"{d.projection} {d.key}: {d.found}" for d in page.differences]
            await connection.execute(SQL["record"], log_id, page.walk, page.after, page.rows, texts, rest)
        for difference in page.differences:
            structlog.get_logger().error(
                "view differs from log",
                log=log.name,
                projection=difference.projection,
                key=difference.key,
                found=difference.found,
            )
        return rest


class _Comparison:
    """Compares one page, in the snapshot of the connection's transaction."""

    def __init__(self, connection: Connection, log_id: int, bounds: asyncpg.Record, mapper: EventMapper) -> None:
        self._connection = connection
        self._log_id = log_id
        self._bounds = bounds
        self._mapper = mapper

    async def compare_page(self, walk: str, after: str) -> Page:
        versions = {row["projection"]: row["version"] for row in await self._fetch("versions")}
        current = {p.name for p in PROJECTIONS if p.name in KEYS and versions.get(p.name) == p.version}
        if walk == "log":
            page = await self._compare_streams(int(after or 0), current)
        elif walk in current:
            page = await self._compare_rows(walk, after)
        else:
            page = Page(None, "")
        if page.walk is None and walk != WALKS[-1]:
            page.walk = WALKS[WALKS.index(walk) + 1]
        return page

    async def _compare_rows(self, view: str, after: str) -> Page:
        """Compare the next rows of a view with the streams that they name."""
        is_tokens = view == "active_tokens"
        start = bytes.fromhex(after) if is_tokens else after
        found = _by_key(view, await self._fetch(f"{view}_page", start, PAGE_ROWS))
        streams = [row["jti"] if is_tokens else client_stream_id(row["client_id"]) for row in found.values()]
        expected = (await self._fold(streams)).views[view]
        page = Page(None, "", len(found))
        page.differences = self._differences(view, {key: expected[key] for key in found if key in expected}, found)
        if len(found) == PAGE_ROWS:
            last = list(found)[-1]
            page.walk, page.after = view, last.hex() if is_tokens else last
        return page

    async def _compare_streams(self, after: int, current: set[str]) -> Page:
        """Compare the streams that start in the next positions of the log with the rows that they should have."""
        last = after + PAGE_ROWS
        complete = last >= self._bounds["head"]
        streams = await self._fetch("streams_page", after, last)
        expected = await self._fold([row["stream_id"] for row in streams])
        page = Page(None if complete else "log", "" if complete else str(last), differences=expected.unreadable)
        for view in sorted(current):
            rows, found = expected.views[view], {}
            if view == "token_history":
                # The first and the last page include the rows at positions that the log cannot have.
                first, end = after or MIN_POSITION, MAX_POSITION if complete else last
                found = _by_key(view, await self._fetch(view, first, end))
            else:
                # Rows that exist are compared by the other walks.
                existing = {key for (key,) in await self._fetch(view, list(rows))}
                rows = {key: row for key, row in rows.items() if key not in existing}
            page.rows += len(expected.views[view])
            page.differences += self._differences(view, rows, found)
        return page

    async def _fold(self, stream_ids: Sequence[UUID]) -> ExpectedRows:
        """Fold streams to the rows that they should have."""
        expected = ExpectedRows()
        skipped = await skipped_positions(self._connection, self._log_id, "token_history")
        events = map(recorded_event, await self._fetch("streams", stream_ids, TOPICS))
        for stream_id, rows in groupby(events, key=attrgetter("stream_id")):
            try:
                self._fold_stream(expected.views, list(rows), skipped)
            except (StoredDataError, ValueError) as error:
                kind = type(error).__name__
                expected.unreadable.append(ViewDifference("event_log", str(stream_id), f"cannot be folded ({kind})"))
        return expected

    def _fold_stream(self, views: Mapping[str, Rows], rows: Sequence[RecordedEvent], skipped: frozenset[int]) -> None:
        stream = [self._mapper.decode(row) for row in rows]
        issued = stream[0].event
        if isinstance(issued, ClientEvent):
            client = fold_client(stream)
            assert client is not None, "it has events"
            document = encode_client(client)
            views["clients"][client.client_id] = {
                "client_id": client.client_id,
                "stream_version": client.version,
                "document": document,
            }
            return
        grant = fold_grant(stream)
        assert grant is not None, "it has events"
        assert isinstance(issued, TokenIssued), "a grant begins with it"
        if grant.revoked_at is None:
            token = active_token_row(self._log_id, issued)
            views["active_tokens"][issued.digest] = dict(zip(TOKEN_COLUMNS, token, strict=True))
        history: dict[str, Any] = {}
        for recorded, row in zip(stream, rows, strict=True):
            if row.position <= self._bounds["checkpoint"] and row.position not in skipped:
                projected = Projected(recorded.event, row)
                match recorded.event:
                    case TokenIssued() as event:
                        history = dict(zip(ISSUED, issued_values(self._log_id, event, projected), strict=True))
                        history |= dict.fromkeys(REVOKED)
                    case TokenRevoked() as event:
                        history |= zip(REVOKED, revoked_values(event, projected), strict=True)
        if history:
            views["token_history"][rows[0].position] = history

    def _differences(self, view: str, expected: Rows, found: Rows) -> list[ViewDifference]:
        differences = []
        for key in expected.keys() | found.keys():
            left, right = expected.get(key), found.get(key)
            if left == right or self._is_excused(view, left, right):
                continue
            if left and right:
                what = f"differs in {', '.join(name for name in left if left[name] != right[name])}"
            else:
                what = "is not in the log" if right else "is missing"
            row = right or left or {}
            differences.append(ViewDifference(view, str(row[SHOWN_KEYS[view]]), what))
        return differences

    def _is_excused(self, view: str, expected: Row | None, found: Row | None) -> bool:
        """Whether a missing row may have been swept, or the events of a row that the log lacks are archived."""
        match view, expected, found:
            case "active_tokens", {"expires_at": expires_at}, None:
                return bool(expires_at <= self._bounds["now"])
            case "active_tokens", None, {"expires_at": expires_at}:
                return bool(expires_at <= self._bounds["closed_before"])
            case "token_history", None, {"issued_position": position}:
                return bool(0 < position <= self._bounds["archived_until"])
        return False

    async def _fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        return await self._connection.fetch(SQL[statement], self._log_id, *arguments)


def _by_key(view: str, records: Iterable[asyncpg.Record]) -> Rows:
    rows = [dict(record) for record in records]
    for row in rows:
        if "document" in row:
            row["document"] = msgspec.json.encode(msgspec.json.decode(row["document"]), order="sorted").decode("utf-8")
    return {row[KEYS[view]]: row for row in rows}


async def read_view_checks(database: Database, logs: Sequence[str]) -> Sequence[ViewCheckResult]:
    """Read what the comparison of these logs has found, for those that were ever compared. Raises Unavailable."""
    async with database.connection() as connection:
        try:
            return [ViewCheckResult(**row) for row in await connection.fetch(SQL["results"], logs)]
        except asyncpg.UndefinedTableError:  # before the migration
            return []


async def head_problems(connection: Connection, logs: Sequence[str]) -> Sequence[str]:
    """Return which logs cannot be appended to, because head and newest event disagree, a sentence each."""
    return [
        f"The log {row['name']} has its head at position {row['head']} and its newest event at {row['newest']}: "
        "run 'token-ledger log verify'."
        for row in await connection.fetch(SQL["unequal_heads"], logs)
    ]
