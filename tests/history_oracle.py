"""What the projection `token_history` must hold: the fold of a whole log, written down as plainly as can be."""

from collections import Counter
from collections.abc import Sequence

import asyncpg

from ledger.domain.events import TokenIssued, TokenRevoked
from ledger.domain.recording import EventMapper, RecordedEvent
from ledger.postgres.rows import recorded_event

UNITS = (60, 3600, 86400)
LOG = """
SELECT position, recorded_at, stream_id, stream_version, topic, schema_version, payload, actor, request_id,
       remote_address
  FROM event_log ORDER BY position
"""

Row = tuple[int, str, str, int | None, str | None]
"""Position of the issuance, jti, client, position of the revocation, who revoked."""

Bucket = tuple[int, int, str]
"""Unit, start, client."""


def fold_history(log: Sequence[RecordedEvent]) -> list[Row]:
    mapper = EventMapper()
    rows: dict[str, Row] = {}
    for row in log:
        match mapper.decode(row).event:
            case TokenIssued(jti=jti, client_id=client_id):
                rows[str(jti)] = (row.position, str(jti), client_id, None, None)
            case TokenRevoked(jti=jti):
                rows[str(jti)] = (*rows[str(jti)][:3], row.position, row.actor)
    return sorted(rows.values())


def fold_activity(log: Sequence[RecordedEvent]) -> dict[Bucket, tuple[int, int, int]]:
    """Tokens issued, revoked and ended per bucket, from what became of each in the end."""
    mapper = EventMapper()
    issued, revoked, ended = {}, {}, {}
    for row in log:
        at = row.recorded_at
        match mapper.decode(row).event:
            case TokenIssued() as event:
                issued[event.jti] = event.client_id, at
                ended[event.jti] = event.client_id, max(event.expires_at, at)
            case TokenRevoked() as event:
                revoked[event.jti] = event.client_id, at
                ended[event.jti] = event.client_id, min(ended[event.jti][1], at)
    counted = [Counter(_buckets(happened.values())) for happened in (issued, revoked, ended)]
    return {bucket: tuple(counts[bucket] for counts in counted) for bucket in set().union(*counted)}


async def assert_history_is_the_fold(connection: asyncpg.Connection) -> int:
    """For a database with one log: rows and counts are those of its events. Returns how many tokens there are."""
    log = [recorded_event(row) for row in await connection.fetch(LOG)]
    rows = await connection.fetch(
        "SELECT issued_position, jti::text, client_id, revoked_position, revoked_by FROM token_history ORDER BY 1"
    )
    assert [tuple(row) for row in rows] == fold_history(log)
    counts = await connection.fetch("SELECT unit, start, client_id, issued, revoked, ended FROM token_activity")
    found = {tuple(row)[:3]: tuple(row)[3:] for row in counts if any(tuple(row)[3:])}
    assert found == fold_activity(log)
    return len(rows)


def _buckets(happened):
    for client_id, at in happened:
        second = int(at.timestamp())
        for unit in UNITS:
            yield unit, second - second % unit, client_id
