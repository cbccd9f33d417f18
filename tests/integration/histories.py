"""Logs with a history, and rebuild and verification without progress output."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg

from ledger.domain.recording import EventMapper, StreamEvent, Write
from ledger.domain.secrets import hash_token
from ledger.postgres.database import Database
from ledger.postgres.event_log import PostgresEventLog
from ledger.postgres.logs import Log
from ledger.use_cases.issuer import Issuer
from projections.catalogue import PROJECTIONS, find_projection, inline_versions
from projections.projection import Projection
from projections.rebuilding.rebuild import RebuildResult, rebuild_projection
from projections.rebuilding.verification import ProjectionVerification, verify_projection
from tests.builders import token_issued
from tests.integration.conftest import CAUSE, register_client

LIFETIME = timedelta(hours=1)
NAMES = [declaration.name for declaration in PROJECTIONS]

CHECKPOINT = """
SELECT log_id, position, version, lease_token FROM projection_checkpoints
 WHERE projection = 'token_history' ORDER BY log_id
"""


def of(name: str) -> Projection:
    return find_projection(name, EventMapper())


async def write_some_history(service, tokens: int = 12) -> None:
    """Two logs with clients, one of them changed, and tokens, some of them revoked."""
    for issuer in service.issuers:
        client = await register_client(issuer)
        await issuer.registry.add_generated_secret(client.client_id, CAUSE)
        await register_client(issuer, "depot")
        await issuer.registry.disable("depot", "closed", CAUSE)
        await issue_and_revoke(issuer, client, tokens)
    await service.catch_up()


async def issue_and_revoke(issuer: Issuer, client, count: int) -> Sequence[str]:
    issued = [await issuer.issuance.issue_token(client, None, CAUSE) for _ in range(count)]
    for token in issued[::3]:
        await issuer.revocation.revoke_token(client, token.access_token, CAUSE)
    return [token.access_token for token in issued]


async def build(dsn: str, projection: Projection | str, **more: object) -> RebuildResult:
    made = of(projection) if isinstance(projection, str) else projection
    return await rebuild_projection(dsn, made, holder="test", **more)


async def check(dsn: str, projection: Projection | str, *, limit: int = 20, **more: object) -> ProjectionVerification:
    made = of(projection) if isinstance(projection, str) else projection
    return await verify_projection(dsn, made, limit=limit, **more)


async def rows(connection: asyncpg.Connection, projection: Projection | str) -> dict[str, list[tuple]]:
    """All rows of a projection's tables."""
    made = of(projection) if isinstance(projection, str) else projection
    return {
        table: sorted((tuple(row) for row in await connection.fetch(f"SELECT * FROM {table}")), key=repr)  # noqa: S608
        for table in made.tables
    }


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
    event_log = PostgresEventLog(Log(database, log), inline_versions())
    await event_log.append([Write([mapper.encode(StreamEvent(event.jti, 1, event))]) for event in issued])
    await database.close()
    return tokens
