"""A log from its first event to its last, in pages: however long it is, one page of it is in memory."""

from collections.abc import AsyncIterator, Callable
from operator import itemgetter
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.errors import NoLog
from ledger.log_checks import Report, stream_fault
from ledger.postgres.database import Connection
from ledger.postgres.logs import NO_LOG, Log
from ledger.postgres.rows import recorded_event
from ledger.postgres.statements import load_statements
from ledger.recording import LogHead, RecordedEvent

SQL = load_statements("ledger.postgres", "whole_log.sql")
READ_LOG = load_statements("ledger.postgres", "event_log.sql")["read_log"]

PAGE = 5000
"""Events a page: some megabytes, read in a small part of the time that a statement may take."""

BEFORE_ALL_STREAMS = (UUID(int=0), 0)

Progress = Callable[[int], None]
"""Told how many events more are done."""


class Extent(Struct, frozen=True):
    """How far a log reached at one moment: its number, its head, and the newest position that was there."""

    log_id: int
    head: LogHead
    newest: int


async def extent_of(log: Log) -> Extent:
    """How far a log reaches now. What is appended later is after it. Raises NoLog, Unavailable."""
    log_id = await log.to_read()
    async with log.database.connection() as connection:
        row = await connection.fetchrow(SQL["head_and_newest"], log_id)
    if log_id == NO_LOG or row is None:
        msg = f"there is no log {log.name!r} in this database: nothing was ever recorded for this issuer"
        raise NoLog(msg)
    return Extent(log_id, LogHead(row["position"], row["recorded_at"]), row["newest"])


async def pages_to_check(log: Log, extent: Extent) -> AsyncIterator[list[asyncpg.Record]]:
    """The rows up to the head, with what can be checked of each by itself. Raises Unavailable."""
    async for page in _pages(log, SQL["page_to_check"], extent.log_id, 0, extent.head.position):
        yield page


async def pages_of_events(log: Log, extent: Extent, after: int, until: int) -> AsyncIterator[list[RecordedEvent]]:
    """The events after a position and up to another. Raises Unavailable."""
    async for page in _pages(log, READ_LOG, extent.log_id, after, until):
        yield [recorded_event(row) for row in page]


async def check_streams(connection: Connection, log_id: int, until: int, report: Report, progress: Progress) -> None:
    """Report each event up to a position that does not follow the one before it in its stream."""
    reached = BEFORE_ALL_STREAMS
    read_again = 0
    while rows := await connection.fetch(SQL["page_of_streams"], log_id, *reached, until, PAGE):
        rows.sort(key=itemgetter("row"))
        last = rows[-1]
        for row in rows:
            if row["row"] == 1 and read_again:  # judged as the last of the page before
                continue
            fault = stream_fault(row["stream_version"], row["position"], row["version_before"], row["position_before"])
            if fault is not None:
                report(row["position"], fault)
        progress(last["row"] - read_again)
        if last["row"] < PAGE:
            return
        reached = (last["stream_id"], last["stream_version"])
        read_again = 1


async def _pages(log: Log, statement: str, log_id: int, after: int, until: int) -> AsyncIterator[list[asyncpg.Record]]:
    async with log.database.connection() as connection:
        while rows := await connection.fetch(statement, log_id, after, until, PAGE):
            yield rows
            after = rows[-1]["position"]
