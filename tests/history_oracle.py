"""An oracle for the projection `token_history`: the simplest possible fold of a whole log."""

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
"""Position of the issuance, jti, client, position and actor of the revocation."""

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
    """Count the tokens issued, revoked and ended in each bucket."""
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


async def assert_history_matches_log(connection: asyncpg.Connection) -> int:
    """Assert that rows and counts of a database with one log match its events. Returns the number of tokens."""
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
