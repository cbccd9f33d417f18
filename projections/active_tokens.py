"""The inline projection `active_tokens`, and the view introspection reads.

It is written in the transaction that records the event, so a revocation that was answered is seen by every later
look-up on every process.
"""

from collections.abc import Awaitable, Mapping, Sequence
from typing import ClassVar

from ledger.batched_reads import BatchedReads
from ledger.events import TokenIssued, TokenRevoked
from ledger.ports import ActiveToken, epoch_seconds
from ledger.postgres.database import Connection
from ledger.postgres.logs import Log
from ledger.postgres.statements import load_statements
from ledger.scope import format_scope
from projections.projection import Projected, Projection

SQL = load_statements("projections", "active_tokens.sql")

COLUMNS = ("log_id", "digest", "jti", "client_id", "subject", "scope", "audience", "issued_at", "expires_at")

MANY = 500
"""Rows from which on a COPY, which takes a round trip more, is the faster way in."""


class ActiveTokensProjection(Projection):
    """One row a token, by digest, from its issuance until it is revoked or swept away after its expiry."""

    name = "active_tokens"
    version = 1
    inline = True
    handles = (TokenIssued, TokenRevoked)
    tables = ("active_tokens",)
    stream_columns: ClassVar = {"active_tokens": "jti"}

    async def fold(self, connection: Connection, log_id: int, events: Sequence[Projected]) -> None:
        """One insert and one delete a batch; a token issued and revoked within it is never written."""
        issued: dict[bytes, TokenIssued] = {}
        revoked: list[bytes] = []
        for projected in events:
            match projected.event:
                case TokenIssued() as event:
                    issued[event.digest] = event
                case TokenRevoked() as event:
                    if issued.pop(event.digest, None) is None:
                        revoked.append(event.digest)
        if issued:
            await _insert(connection, log_id, list(issued.values()))
        if revoked:
            await connection.execute(SQL["delete"], log_id, revoked)


async def _insert(connection: Connection, log_id: int, tokens: Sequence[TokenIssued]) -> None:
    rows = [
        (
            log_id,
            token.digest,
            token.jti,
            token.client_id,
            token.subject,
            format_scope(token.scope),
            token.audience,
            epoch_seconds(token.issued_at),
            epoch_seconds(token.expires_at),
        )
        for token in tokens
    ]
    if len(rows) >= MANY:
        await connection.copy_records_to_table("active_tokens", records=rows, columns=COLUMNS)
        return
    _, digests, jtis, clients, subjects, scopes, audiences, issued, expire = map(list, zip(*rows, strict=True))
    joined = [format_scope(audience) for audience in audiences]
    await connection.execute(SQL["insert"], log_id, digests, jtis, clients, subjects, scopes, joined, issued, expire)


class PostgresActiveTokens:
    """The view `active_tokens` of one log, read in batches. Implements `ledger.ports.ActiveTokens`."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._reads = BatchedReads(self._find)

    def get(self, digest: bytes) -> Awaitable[ActiveToken | None]:
        """The token of a digest as of this call, also for a while after it expired. Raises Unavailable."""
        return self._reads.ask(digest)

    async def _find(self, digests: Sequence[bytes]) -> Mapping[bytes, ActiveToken]:
        log_id = await self._log.to_read()
        async with self._log.database.connection() as connection:
            rows = await connection.fetch(SQL["find"], log_id, digests)
        return {
            row["digest"]: ActiveToken(
                jti=row["jti"],
                client_id=row["client_id"],
                subject=row["subject"],
                scope=row["scope"],
                audience=tuple(row["audience"]),
                issued_at=row["issued_at"],
                expires_at=row["expires_at"],
            )
            for row in rows
        }
