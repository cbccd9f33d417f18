"""A log of any length, as the service would have written it: events through the codec, by COPY."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import asyncpg

from ledger.events import ClientRegistered, ClientSettings, Event, TokenIssued, TokenRevoked
from ledger.identifiers import client_stream_id
from ledger.postgres.restoring import COLUMNS
from ledger.recording import EventMapper, StreamEvent

CLIENTS = 100
REVOKED_EVERY = 8
"""One token in so many is revoked, a while after it was issued."""

LATER = 5000
"""Tokens that are issued between an issuance and its revocation."""

START = datetime(2025, 1, 1, tzinfo=UTC)
LIFETIME = timedelta(days=3650)
"""None of them has expired: a rebuild would leave those out."""

STEP = timedelta(milliseconds=20)
PAGE = 20_000


async def write_history(owner_dsn: str, log_name: str, events: int) -> int:
    """Fill a new log; returns its number. Its projections are still to be built."""
    connection = await asyncpg.connect(owner_dsn)
    try:
        log_id: int = await connection.fetchval("SELECT coalesce(max(log_id), 0) + 1 FROM logs")
        rows = _rows(log_id, events)
        while page := [row for row, _ in zip(rows, range(PAGE), strict=False)]:
            await connection.copy_records_to_table("event_log", columns=COLUMNS, records=page)
        await connection.execute("INSERT INTO logs VALUES ($1, $2, now())", log_name, log_id)
        await connection.execute("INSERT INTO log_head VALUES ($1, $2, $3)", log_id, events, START + STEP * events)
        await connection.execute("ANALYZE event_log")
    finally:
        await connection.close()
    return log_id


def _rows(log_id: int, events: int) -> Iterator[tuple[object, ...]]:
    mapper = EventMapper()
    for position, (stream, version, event) in zip(range(1, events + 1), _events(), strict=False):
        stored = mapper.to_stored_event(StreamEvent(stream, version, event))
        recorded_at = START + STEP * position
        client = getattr(event, "client_id", "")
        who = (f"client:{client}", f"request-{position}", "192.0.2.1")
        schema_version = stored.schema_version
        yield (log_id, position, recorded_at, stream, version, schema_version, stored.topic, stored.state, *who)


def _events() -> Iterator[tuple[UUID, int, Event]]:
    for number in range(CLIENTS):
        settings = ClientSettings(
            name=f"client {number}", grant_types=("client_credentials",), scopes=("read", "write")
        )
        client_id = f"client-{number}"
        registered = ClientRegistered(client_id=client_id, settings=settings, registered_at=START)
        yield client_stream_id(client_id), 1, registered
    number = 0
    while True:
        number += 1
        token = _token(number)
        yield token.jti, 1, token
        if number > LATER and number % REVOKED_EVERY == 0:
            token = _token(number - LATER)
            at = START + STEP * number
            gone = {"jti": token.jti, "digest": token.digest, "client_id": token.client_id}
            yield (
                token.jti,
                2,
                TokenRevoked(**gone, revoked_at=at.replace(microsecond=0), reason="revoked by its client"),
            )


def _token(number: int) -> TokenIssued:
    digest = sha256(number.to_bytes(8)).digest()
    at = (START + STEP * number).replace(microsecond=0)
    return TokenIssued(
        jti=UUID(bytes=number.to_bytes(8) + digest[:8]),
        digest=digest,
        client_id=f"client-{number % CLIENTS}",
        subject=f"client-{number % CLIENTS}",
        scope=("read", "write"),
        audience=("api",),
        grant_type="client_credentials",
        token_format="opaque",
        issued_at=at,
        expires_at=at + LIFETIME,
    )
