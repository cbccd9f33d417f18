"""Queries on `token_history`: pages of tokens as of a moment, and a token by its digest or its jti."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from ledger.domain.token_record import Moment, Recorded, Revocation, TokenRecord
from ledger.postgres.database import Connection
from ledger.postgres.logs import Log
from ledger.postgres.statements import load_statements
from ledger.use_cases.audit import TokenPage, TokenQuery

SQL = load_statements("projections", "token_history.sql")

MAX_CANDIDATES = 2000
"""Most candidates read for one page. A filter that few candidates pass makes short pages, not slow ones."""

WINDOW_GROWTH = 4


async def find_jti(log: Log, digest: bytes) -> UUID | None:
    """Find the jti of a digest. Raises Unavailable."""
    log_id = await log.find_id()
    async with log.database.connection() as connection:
        jti: UUID | None = await connection.fetchval(SQL["find_digest"], log_id, digest)
    return jti


async def find_token(log: Log, jti: UUID) -> TokenRecord | None:
    """Find a token by its jti. Raises Unavailable."""
    log_id = await log.find_id()
    async with log.database.connection() as connection:
        row = await connection.fetchrow(SQL["find_token"], log_id, jti)
    return None if row is None else _record(row, None)


async def issued_until(connection: Connection, log_id: int, instant: datetime, position: int) -> int:
    """Find the last token issued up to a position and recorded by an instant; return its position, 0 if none."""
    found: int = await connection.fetchval(SQL["issued_until"], log_id, instant, position)
    return found


async def read_page(log: Log, query: TokenQuery, moment: Moment, *, first: int, before: int, limit: int) -> TokenPage:
    """Read tokens issued at positions in [first, before), newest first. Raises Unavailable.

    The first window has `limit` candidates; wider ones follow until the page is full.
    """
    log_id = await log.find_id()
    index = _index_for(query)
    tokens: list[TokenRecord] = []
    candidates, window = 0, limit
    while True:
        arguments = (window, before, first, moment.position, moment.instant, index)
        filters = (query.client_id, query.subject, query.scope, query.status)
        async with log.database.connection() as connection:
            rows = await connection.fetch(SQL["page"], log_id, *arguments, *filters)
        tokens += [_record(row, moment) for row in rows if row["issued_position"] is not None]
        if rows[0]["candidates"] < window:
            return _page(tokens, limit, None)
        before = rows[0]["lowest"]
        candidates += window
        if len(tokens) >= limit or candidates >= MAX_CANDIDATES:
            return _page(tokens, limit, before)
        window = min(window * WINDOW_GROWTH, MAX_CANDIDATES - candidates)


def _page(tokens: Sequence[TokenRecord], limit: int, before: int | None) -> TokenPage:
    if len(tokens) <= limit:
        return TokenPage(tokens, before)
    return TokenPage(tokens[:limit], tokens[limit - 1].issued.position)


def _index_for(query: TokenQuery) -> str:
    """Choose the index for the candidates: usually the one that leaves the fewest."""
    if query.subject is not None:
        return "subject"
    if query.client_id is not None:
        return "client_revoked" if query.status == "revoked" else "client"
    if query.status == "revoked":
        return "revoked"
    return "all" if query.scope is None else "scope"


def _record(row: asyncpg.Record, moment: Moment | None) -> TokenRecord:
    """Build a token from a row, without a revocation after the moment."""
    revoked = None
    position = row["revoked_position"]
    if position is not None and (moment is None or position <= moment.position):
        revoked = Revocation(
            position=position,
            recorded_at=row["revoked_recorded_at"],
            actor=row["revoked_by"],
            request_id=row["revoked_request_id"],
            remote_address=row["revoked_from"],
            revoked_at=row["revoked_at"],
            reason=row["revocation_reason"],
        )
    return TokenRecord(
        jti=row["jti"],
        grant_id=row["grant_id"],
        client_id=row["client_id"],
        subject=row["subject"],
        scope=tuple(row["scope"].split()),
        audience=tuple(row["audience"].split()),
        grant_type=row["grant_type"],
        token_format=row["token_format"],
        issued_at=row["issued_at"],
        expires_at=row["expires_at"],
        issued=Recorded(
            position=row["issued_position"],
            recorded_at=row["issued_recorded_at"],
            actor=row["issued_by"],
            request_id=row["issued_request_id"],
            remote_address=row["issued_from"],
        ),
        revoked=revoked,
    )
