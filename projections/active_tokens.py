"""The inline projection `active_tokens`, which introspection reads.

It is updated in the transaction that appends the event, so every later look-up in every process sees a revocation.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import asyncpg

from ledger.domain.clock import to_epoch_seconds
from ledger.domain.events import TokenIssued, TokenRevoked
from ledger.domain.scope import format_scope
from ledger.postgres.database import Connection
from ledger.postgres.statements import load_statements
from ledger.use_cases.ports import ActiveToken
from projections.projection import Projected, Projection

SQL = load_statements("projections", "active_tokens.sql")

COLUMNS = ("log_id", "digest", "jti", "client_id", "subject", "scope", "audience", "issued_at", "expires_at")

MANY = 500
"""From this many rows on a COPY is faster, although it takes one more round trip."""


class ActiveTokensProjection(Projection):
    """One row per token, from its issuance until it is revoked or swept after its expiry."""

    name = "active_tokens"
    version = 1
    inline = True
    handles = (TokenIssued, TokenRevoked)
    tables = ("active_tokens",)
    stream_columns: ClassVar = {"active_tokens": "jti"}
    expiry_columns: ClassVar = {"active_tokens": "expires_at"}

    def without_expired(self, events: Sequence[Projected], by: int) -> Sequence[Projected]:
        """Leave out the issuances of tokens that have expired by then."""
        return [
            projected
            for projected in events
            if not isinstance(projected.event, TokenIssued) or to_epoch_seconds(projected.event.expires_at) > by
        ]

    async def fold(self, connection: Connection, log_id: int, events: Sequence[Projected]) -> None:
        """Run one insert and one delete per batch; a token issued and revoked in it is never written."""
        issued: dict[bytes, TokenIssued] = {}
        twice: list[TokenIssued] = []
        revoked: list[bytes] = []
        for projected in events:
            match projected.event:
                case TokenIssued() as event:
                    if (first := issued.setdefault(event.digest, event)) is not event:
                        # Write both, so that the primary key refuses them as it does in two batches.
                        twice += (first, event)
                case TokenRevoked() as event:
                    if issued.pop(event.digest, None) is None:
                        revoked.append(event.digest)
        if issued or twice:
            await _insert(connection, log_id, [*issued.values(), *twice])
        if revoked:
            await connection.execute(SQL["delete"], log_id, revoked)


async def _insert(connection: Connection, log_id: int, tokens: Sequence[TokenIssued]) -> None:
    if len(tokens) < MANY:
        await connection.execute(SQL["insert"], log_id, *_columns(tokens))
        return
    rows = [active_token_row(log_id, token) for token in tokens]
    await connection.copy_records_to_table("active_tokens", records=rows, columns=COLUMNS)


def active_token_row(log_id: int, token: TokenIssued) -> tuple[Any, ...]:
    """The row of an active token, in the order of COLUMNS."""
    return (
        log_id,
        token.digest,
        token.jti,
        token.client_id,
        token.subject,
        format_scope(token.scope),
        list(token.audience),
        to_epoch_seconds(token.issued_at),
        to_epoch_seconds(token.expires_at),
    )


def _columns(tokens: Sequence[TokenIssued]) -> Sequence[list[Any]]:
    """The columns for the insert; audiences as text, because PostgreSQL arrays of arrays have one length."""
    return (
        [token.digest for token in tokens],
        [token.jti for token in tokens],
        [token.client_id for token in tokens],
        [token.subject for token in tokens],
        [format_scope(token.scope) for token in tokens],
        [format_scope(token.audience) for token in tokens],
        [to_epoch_seconds(token.issued_at) for token in tokens],
        [to_epoch_seconds(token.expires_at) for token in tokens],
    )


def active_token(row: asyncpg.Record) -> ActiveToken:
    """Build a token from a row."""
    return ActiveToken(
        jti=row["jti"],
        client_id=row["client_id"],
        subject=row["subject"],
        scope=row["scope"],
        audience=tuple(row["audience"]),
        issued_at=row["issued_at"],
        expires_at=row["expires_at"],
    )
