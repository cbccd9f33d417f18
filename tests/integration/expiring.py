"""Record expired tokens, as the service records tokens."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from ledger.domain.recording import EventMapper, StreamEvent, Write
from ledger.domain.secrets import hash_token
from ledger.postgres.database import Database
from ledger.postgres.event_log import PostgresEventLog
from ledger.postgres.logs import Log
from projections.catalogue import inline_projections
from tests.builders import token_issued

LIFETIME = timedelta(hours=1)


async def record_expired(dsn: str, count: int, *, ago: float = 600.0, log: str = "first") -> Sequence[str]:
    """Record tokens of client shop that expired `ago` seconds ago; returns the tokens."""
    mapper = EventMapper()
    expired = (datetime.now(UTC) - timedelta(seconds=ago)).replace(microsecond=0)
    tokens = [secrets.token_urlsafe(96) for _ in range(count)]
    issued = [
        token_issued(jti=uuid4(), digest=hash_token(token), issued_at=expired - LIFETIME, expires_at=expired)
        for token in tokens
    ]
    database = Database(dsn)
    event_log = PostgresEventLog(Log(database, log), inline_projections(mapper))
    await event_log.append([Write([mapper.encode(StreamEvent(event.jti, 1, event))]) for event in issued])
    await database.close()
    return tokens
