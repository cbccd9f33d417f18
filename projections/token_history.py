"""The catch-up projection `token_history`: every token ever issued, how it ended, and activity over time."""

from collections.abc import Sequence
from typing import Any, ClassVar

from ledger.domain.events import TokenIssued, TokenRevoked
from ledger.domain.scope import format_scope
from ledger.postgres.database import Connection
from ledger.postgres.statements import load_statements
from projections.projection import Projected, Projection
from projections.token_activity import ActivityCounts

SQL = load_statements("projections", "token_history.sql")

ISSUED = (
    *("log_id", "issued_position", "jti", "grant_id", "digest", "client_id", "subject", "scope", "audience"),
    *("grant_type", "token_format", "issued_at", "expires_at"),
    *("issued_recorded_at", "issued_by", "issued_request_id", "issued_from"),
)
"""The columns that an issuance fills; a revocation fills the others."""

REVOKED = (
    *("revoked_position", "revoked_at", "revoked_recorded_at"),
    *("revoked_by", "revoked_request_id", "revoked_from", "revocation_reason"),
)


class RevokedBeforeIssued(Exception):
    """The log revokes a token that it has not issued before."""


class TokenHistoryProjection(Projection):
    """One permanent row per token; and counts per client, in `token_activity`."""

    name = "token_history"
    version = 1
    handles = (TokenIssued, TokenRevoked)
    tables = ("token_history", "token_activity")
    looked_up_by = ("token_history_digest",)
    stream_columns: ClassVar = {"token_history": "grant_id"}

    async def fold(self, connection: Connection, log_id: int, events: Sequence[Projected]) -> None:
        """Run one COPY, one update and one upsert per batch. Raises RevokedBeforeIssued."""
        counts = ActivityCounts()
        issued = []
        revoked: dict[bytes, tuple[TokenRevoked, Projected]] = {}
        for projected in events:
            match projected.event:
                case TokenIssued() as event:
                    issued.append(issued_values(log_id, event, projected))
                    counts.add_issued(event.client_id, projected.row.recorded_at, event.expires_at)
                case TokenRevoked() as event:
                    revoked[event.digest] = event, projected
        if issued:
            await connection.copy_records_to_table("token_history", records=issued, columns=ISSUED)
        if revoked:
            await _revoke(connection, log_id, revoked, counts)
        rows = list(counts.rows())
        await connection.execute(SQL["count"], log_id, *map(list, zip(*rows, strict=True)))


async def _revoke(
    connection: Connection, log_id: int, revoked: dict[bytes, tuple[TokenRevoked, Projected]], counts: ActivityCounts
) -> None:
    columns = map(list, zip(*(revoked_values(*both) for both in revoked.values()), strict=True))
    ended = await connection.fetch(SQL["revoke"], log_id, list(revoked), *columns)
    if len(ended) != len(revoked):
        found = {row["digest"] for row in ended}
        jti = next(event.jti for digest, (event, _) in revoked.items() if digest not in found)
        msg = f"the token {jti} was revoked but not issued before"
        raise RevokedBeforeIssued(msg)
    for row in ended:
        client_id, revoked_at = row["client_id"], row["revoked_recorded_at"]
        counts.add_revoked(client_id, revoked_at, expires_at=row["expires_at"], issued_at=row["issued_recorded_at"])


def revoked_values(event: TokenRevoked, projected: Projected) -> tuple[Any, ...]:
    """The values of the columns REVOKED."""
    row = projected.row
    return (
        row.position,
        event.revoked_at,
        row.recorded_at,
        row.actor,
        row.request_id,
        row.remote_address,
        event.reason,
    )


def issued_values(log_id: int, event: TokenIssued, projected: Projected) -> tuple[Any, ...]:
    """The values of the columns ISSUED."""
    row = projected.row
    return (
        log_id,
        row.position,
        event.jti,
        event.jti,
        event.digest,
        event.client_id,
        event.subject,
        format_scope(event.scope),
        format_scope(event.audience),
        event.grant_type,
        event.token_format,
        event.issued_at,
        event.expires_at,
        row.recorded_at,
        row.actor,
        row.request_id,
        row.remote_address,
    )
