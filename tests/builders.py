"""Builders for tests: a fake clock, predictable randomness, events and aggregates."""

import asyncio
import hashlib
from collections.abc import Callable
from concurrent.futures import Executor, Future
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from argon2 import PasswordHasher
from argon2.low_level import Type
from msgspec.structs import asdict

from ledger.domain import secrets as client_secrets
from ledger.domain.client import Client
from ledger.domain.events import ClientSettings, Event, StoredSecret, TokenIssued, TokenRevoked
from ledger.domain.identifiers import client_stream_id
from ledger.domain.recording import Cause, NewEvent, RecordedEvent, StreamEvent

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
JTI = UUID("018f4c2a-1111-7222-8333-444455556666")
DIGEST = bytes(range(32))
CAUSE = Cause(actor="client:shop", request_id="req-1", remote_address="192.0.2.7")

CHEAP_ARGON2 = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, hash_len=16, type=Type.ID)
"""Real argon2id with parameters so small that a test may compute hundreds."""


class FakeClock:
    """A clock that only moves when a test advances it."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float = 0, **by: float) -> None:
        self.now += timedelta(seconds=seconds, **by)


class PredictableBytes:
    """Random bytes that a test can predict: SHAKE-128 of a counter."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, count: int) -> bytes:
        self.calls += 1
        return hashlib.shake_128(self.calls.to_bytes(8, "big")).digest(count)


def use_cheap_argon2(monkeypatch, decoy_secret: str = "no client has this secret") -> None:
    """Hash chosen secrets, and the decoy, with the real algorithm and the cheap parameters."""
    monkeypatch.setattr(client_secrets, "_argon2", CHEAP_ARGON2)
    monkeypatch.setattr(client_secrets, "_DECOY", CHEAP_ARGON2.hash(decoy_secret, salt=bytes(16)))


class ImmediateExecutor(Executor):
    """Runs work at once, on the calling thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        future: Future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 (a future carries whatever was raised)
            future.set_exception(error)
        return future


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def settings(**changes: Any) -> ClientSettings:
    fields = {"name": "Shop", "grant_types": ("client_credentials",), "scopes": ("read", "write")} | changes
    return ClientSettings(**fields)


def client(client_id: str = "shop", *, version: int = 1, enabled: bool = True, secrets=(), **changes: Any) -> Client:
    return Client(
        id=client_stream_id(client_id),
        version=version,
        client_id=client_id,
        settings=settings(**changes),
        secrets=tuple(secrets),
        enabled=enabled,
    )


def stored_secret(secret_id: str = "s1", expires_at: datetime | None = None, **changes: Any) -> StoredSecret:
    fields = {"kind": "sha256", "hash": "00" * 32, "created_at": NOW} | changes
    return StoredSecret(secret_id=secret_id, expires_at=expires_at, **fields)


def chosen_secret(secret: str, secret_id: str = "s1", expires_at: datetime | None = None) -> StoredSecret:
    """A secret that a person chose, kept under the cheap parameters."""
    return stored_secret(secret_id, expires_at, kind="argon2id", hash=CHEAP_ARGON2.hash(secret))


def token_issued(**changes: Any) -> TokenIssued:
    fields = {
        "jti": JTI,
        "digest": DIGEST,
        "client_id": "shop",
        "subject": "shop",
        "scope": ("read",),
        "audience": ("shop",),
        "grant_type": "client_credentials",
        "token_format": "opaque",
        "issued_at": NOW,
        "expires_at": NOW + seconds(3600),
    }
    return TokenIssued(**fields | changes)


def token_revoked(**changes: Any) -> TokenRevoked:
    fields = {"jti": JTI, "digest": DIGEST, "client_id": "shop", "revoked_at": NOW + seconds(60), "reason": "lost"}
    return TokenRevoked(**fields | changes)


def stream_of(stream_id: UUID, *events: Event) -> list[StreamEvent]:
    """The events at versions 1, 2, 3 … of a stream."""
    return [StreamEvent(stream_id, version, event) for version, event in enumerate(events, start=1)]


def row(stream: int | UUID = 1, version: int = 1, *, topic: str = "thing.happened", payload: bytes = b"{}") -> NewEvent:
    """A row on its way into the log, when only its place matters."""
    return NewEvent(
        stream_id=UUID(int=stream) if isinstance(stream, int) else stream,
        stream_version=version,
        topic=topic,
        payload=payload,
    )


def recorded_row(new: NewEvent, position: int, recorded_at: datetime = NOW) -> RecordedEvent:
    return RecordedEvent(**asdict(new), position=position, recorded_at=recorded_at)


async def settle(turns: int = 25) -> None:
    """Let every task that can run do so, without letting time pass."""
    for _ in range(turns):
        await asyncio.sleep(0)
