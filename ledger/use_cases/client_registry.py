"""Use case: register and change clients. Every change is recorded with its cause."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ledger.domain.client import Client, evolve_client, fold_client, register
from ledger.domain.clock import Clock, RandomBytes
from ledger.domain.errors import InvalidRegistration, UnknownClient
from ledger.domain.events import ClientSettings, Event, StoredSecret
from ledger.domain.identifiers import client_stream_id
from ledger.domain.recording import Cause, EventMapper, StreamEvent, VersionConflict, Write
from ledger.domain.secrets import (
    MAX_SECRET_CHARACTERS,
    SALT_BYTES,
    SECRET_BYTES,
    generate_secret,
    hash_chosen_secret,
    hash_generated_secret,
)
from ledger.use_cases.ports import Streams, Writer

MIN_SECRET_CHARACTERS = 8


@dataclass(kw_only=True, eq=False)
class ClientRegistry:
    """Registers and changes the clients of one issuer.

    Decisions depend on the client's stream, not on the view, and are taken again after a conflict. Every method raises
    InvalidRegistration, UnknownClient or Unavailable.
    """

    streams: Streams
    writer: Writer
    mapper: EventMapper
    clock: Clock
    random_bytes: RandomBytes

    async def register(self, client_id: str, settings: ClientSettings, cause: Cause) -> Client:
        """Register a new client, without a secret."""
        event = register(client_id, settings, now=self.clock())
        recorded = StreamEvent(client_stream_id(client_id), 1, event)
        try:
            await self.writer.write(Write((self.mapper.encode(recorded, cause),)))
        except VersionConflict:
            msg = f"client {client_id!r} is registered already"
            raise InvalidRegistration(msg) from None
        return evolve_client(None, recorded)

    async def update(self, client_id: str, settings: ClientSettings, cause: Cause) -> Client:
        """Replace the settings; records nothing when they are the same."""
        return await self._change(client_id, lambda c: c.update(settings, now=self.clock()), cause)

    async def add_generated_secret(
        self, client_id: str, cause: Cause, expires_at: datetime | None = None
    ) -> tuple[str, str]:
        """Generate a secret; returns (secret_id, secret). The secret is not stored and cannot be read later."""
        secret = generate_secret(self.random_bytes(SECRET_BYTES))
        secret_id = self._new_secret_id()
        stored = hash_generated_secret(secret, secret_id=secret_id, now=self.clock(), expires_at=expires_at)
        await self._add(client_id, stored, cause)
        return secret_id, secret

    async def add_chosen_secret(
        self, client_id: str, secret: str, cause: Cause, expires_at: datetime | None = None
    ) -> str:
        """Add a secret chosen by a person, of 8 characters or more; returns its id."""
        if not MIN_SECRET_CHARACTERS <= len(secret) <= MAX_SECRET_CHARACTERS:
            msg = f"a client secret must be {MIN_SECRET_CHARACTERS} to {MAX_SECRET_CHARACTERS} characters long"
            raise InvalidRegistration(msg)
        secret_id = self._new_secret_id()
        salt = self.random_bytes(SALT_BYTES)
        stored = hash_chosen_secret(secret, secret_id=secret_id, salt=salt, now=self.clock(), expires_at=expires_at)
        await self._add(client_id, stored, cause)
        return secret_id

    async def retire_secret(
        self, client_id: str, secret_id: str, cause: Cause, expires_at: datetime | None = None
    ) -> Client:
        """End a secret, now or at a later instant."""

        def decide(client: Client) -> Event | None:
            now = self.clock()
            return client.retire_secret(secret_id, expires_at=expires_at or now, now=now)

        return await self._change(client_id, decide, cause)

    async def disable(self, client_id: str, reason: str, cause: Cause) -> Client:
        """Disable the client, for every process, once this returns."""
        return await self._change(client_id, lambda c: c.disable(now=self.clock(), reason=reason), cause)

    async def enable(self, client_id: str, cause: Cause) -> Client:
        """Enable a disabled client."""
        return await self._change(client_id, lambda c: c.enable(now=self.clock()), cause)

    async def load(self, client_id: str) -> Client | None:
        """Fold a client from its stream; None when it is not registered."""
        rows = await self.streams.read_stream(client_stream_id(client_id))
        return fold_client(self.mapper.decode(row) for row in rows)

    async def _add(self, client_id: str, stored: StoredSecret, cause: Cause) -> None:
        await self._change(client_id, lambda c: c.add_secret(stored, now=self.clock()), cause)

    async def _change(self, client_id: str, decide: Callable[[Client], Event | None], cause: Cause) -> Client:
        while True:
            client = await self.load(client_id)
            if client is None:
                msg = f"no client {client_id!r} is registered with this issuer"
                raise UnknownClient(msg)
            event = decide(client)
            if event is None:
                return client
            recorded = StreamEvent(client.id, client.version + 1, event)
            try:
                await self.writer.write(Write((self.mapper.encode(recorded, cause),)))
            except VersionConflict:
                continue
            return evolve_client(client, recorded)

    def _new_secret_id(self) -> str:
        return self.random_bytes(4).hex()
