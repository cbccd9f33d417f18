"""A log with many tokens in it, recorded by COPY through the service's own codec and folded by its own projections."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from random import Random
from typing import Any
from uuid import UUID

import asyncpg

from ledger.codec import CODEC
from ledger.events import Event, TokenIssued, TokenRevoked
from ledger.identifiers import time_ordered_uuid
from ledger.ports import epoch_seconds
from ledger.postgres.restoring import COLUMNS
from ledger.scope import format_scope

ACTIVE_COLUMNS = (
    "log_id",
    "digest",
    "jti",
    "client_id",
    "subject",
    "scope",
    "audience",
    "issued_at",
    "expires_at",
)
SCOPES = (
    ("country.read", "customer.read", "customer.write"),
    ("country.read",),
    ("customer.read",),
    ("invoice.read", "invoice.write"),
)
REVOKED_SHARE = 0.05
LIFETIME = timedelta(hours=4)
CLIENTS = 50
CHUNK = 20_000


class Filling:
    """Tokens of 50 clients issued at a steady rate up to now; one in twenty is revoked a while after.

    The same `seed` gives the same tokens. `rate` is tokens a second of recorded time: it decides how many have expired.
    """

    def __init__(self, *, tokens: int, rate: float = 100.0, seed: int = 1) -> None:
        self._random = Random(seed)  # noqa: S311 (data for a benchmark)
        self._count = tokens
        self._position = 0
        self._step = timedelta(seconds=1 / rate)
        self._begin = datetime.now(UTC) - timedelta(seconds=2) - tokens * self._step
        self.active: list[tuple[Any, ...]] = []

    def rows(self, log_id: int) -> Iterator[tuple[Any, ...]]:
        """Rows of event_log, in position order."""
        revocations: list[tuple[int, TokenIssued]] = []
        for number in range(self._count):
            at = self._begin + number * self._step
            issued = self._issued(number, at)
            yield self._row(log_id, issued.jti, 1, issued, at)
            if self._random.random() < REVOKED_SHARE:
                revocations.append((number + 500, issued))
            while revocations and revocations[0][0] <= number:
                _, ended = revocations.pop(0)
                yield self._row(log_id, ended.jti, 2, _revoked(ended, at), at)
            if not revocations or revocations[-1][1] is not issued:
                self._activate(log_id, issued)

    def _issued(self, number: int, at: datetime) -> TokenIssued:
        jti = time_ordered_uuid(at, self._random.randbytes(10))
        client = f"client-{self._random.randrange(CLIENTS)}"
        issued_at = at.replace(microsecond=0)
        return TokenIssued(
            jti=jti,
            digest=sha256(b"token %d" % number).digest(),
            client_id=client,
            subject=client,
            scope=self._random.choice(SCOPES),
            audience=(client,),
            grant_type="client_credentials",
            token_format="opaque",
            issued_at=issued_at,
            expires_at=issued_at + LIFETIME,
        )

    def _row(self, log_id: int, stream: UUID, version: int, event: Event, at: datetime) -> tuple[Any, ...]:
        self._position += 1
        actor = f"client:{event.client_id}"  # type: ignore[attr-defined]
        request_id = f"{self._position:032x}"
        payload = CODEC.encode(event)
        return (
            log_id,
            self._position,
            at,
            stream,
            version,
            event.SCHEMA_VERSION,
            event.TOPIC,
            payload,
            actor,
            request_id,
            "192.0.2.7",
        )

    def _activate(self, log_id: int, token: TokenIssued) -> None:
        self.active.append(
            (
                log_id,
                token.digest,
                token.jti,
                token.client_id,
                token.subject,
                format_scope(token.scope),
                list(token.audience),
                epoch_seconds(token.issued_at),
                epoch_seconds(token.expires_at),
            )
        )

    @property
    def position(self) -> int:
        """Of the newest event."""
        return self._position


async def fill(owner_dsn: str, log_name: str, *, tokens: int, rate: float = 100.0) -> int:
    """Make the log and fill it with so many tokens, and the view `active_tokens`; returns its newest position.

    The catch-up projections have not seen them yet. Raises ValueError when the log is there already: what these tokens
    say of when they were recorded would be before what it holds.
    """
    connection = await asyncpg.connect(owner_dsn)
    try:
        if await connection.fetchval("SELECT FROM logs WHERE name = $1", log_name) is not None:
            msg = f"the log {log_name!r} is there already"
            raise ValueError(msg)
        log_id = await connection.fetchval("SELECT coalesce(max(log_id), 0) + 1 FROM logs")
        await connection.execute("INSERT INTO logs VALUES ($1, $2, clock_timestamp())", log_name, log_id)
        await connection.execute("INSERT INTO log_head VALUES ($1, 0, clock_timestamp())", log_id)
        filling = Filling(tokens=tokens, rate=rate)
        rows = filling.rows(log_id)
        while chunk := list(itertools.islice(rows, CHUNK)):
            await connection.copy_records_to_table("event_log", records=chunk, columns=COLUMNS)
            active, filling.active = filling.active, []
            await connection.copy_records_to_table("active_tokens", records=active, columns=ACTIVE_COLUMNS)
        await connection.execute(
            "UPDATE log_head SET position = $2, recorded_at = clock_timestamp() WHERE log_id = $1",
            log_id,
            filling.position,
        )
        await connection.execute("VACUUM ANALYZE event_log, active_tokens")
        return filling.position
    finally:
        await connection.close()


def _revoked(token: TokenIssued, at: datetime) -> TokenRevoked:
    return TokenRevoked(
        jti=token.jti, digest=token.digest, client_id=token.client_id, revoked_at=at, reason="revoked by its client"
    )
