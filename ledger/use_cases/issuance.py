"""Use case: issue an access token (RFC 6749 §4.4)."""

import math
from uuid import UUID

from msgspec import Struct

from ledger.domain import identifiers
from ledger.domain.client import Client
from ledger.domain.clock import Clock, RandomBytes
from ledger.domain.errors import InvalidClient
from ledger.domain.events import TokenIssued
from ledger.domain.grant import issue_by_client_credentials
from ledger.domain.recording import Cause, EventMapper, StreamEvent, StreamGuard, VersionConflict, Write
from ledger.domain.scope import Scope
from ledger.domain.secrets import TOKEN_BYTES, generate_token, hash_token
from ledger.use_cases.ports import Clients, Writer


class IssuedToken(Struct, frozen=True):
    """An access token on its way to the client: the only place where the token itself exists.

    `expires_in` is whole seconds from the moment of answering, rounded down. `position` is where the log has it, in the
    stream `grant_id`.
    """

    access_token: str
    scope: Scope
    expires_in: int
    grant_id: UUID
    position: int

    @property
    def jti(self) -> str:
        """As it is introspected."""
        return str(self.grant_id)


class TokenIssuance:
    """Issues tokens of one issuer."""

    def __init__(
        self, *, clients: Clients, writer: Writer, mapper: EventMapper, clock: Clock, random_bytes: RandomBytes
    ) -> None:
        self._clients = clients
        self._writer = writer
        self._mapper = mapper
        self._clock = clock
        self._random_bytes = random_bytes

    async def issue_token(self, client: Client, requested: Scope | None, cause: Cause) -> IssuedToken:
        """Issue a token to an authenticated client; return once it is recorded and introspection shows it.

        The write holds only while the client is as it was authenticated: if it was changed or disabled meanwhile, the
        decision is taken again on what it is now.
        Raises UnauthorizedClient, InvalidScope, InvalidClient (disabled meanwhile) or Unavailable.
        """
        while True:
            now = self._clock()
            random_bytes = self._random_bytes(TOKEN_BYTES + identifiers.RANDOM_BYTES)
            token = generate_token(random_bytes[:TOKEN_BYTES])
            grant_id = identifiers.build_uuid7(now, random_bytes[TOKEN_BYTES:])
            issued = issue_by_client_credentials(
                client, requested, now=now, grant_id=grant_id, digest=hash_token(token)
            )
            row = self._mapper.encode(StreamEvent(grant_id, 1, issued), cause)
            try:
                result = await self._writer.write(Write((row,), (StreamGuard(client.id, client.version),)))
            except VersionConflict:
                client = await self._reload(client.client_id)
                continue
            return self._answer(token, issued, result.positions[-1])

    async def _reload(self, client_id: str) -> Client:
        client = await self._clients.get(client_id)
        if client is None or not client.enabled:
            raise InvalidClient
        return client

    def _answer(self, token: str, issued: TokenIssued, position: int) -> IssuedToken:
        remaining = issued.expires_at.timestamp() - self._clock().timestamp()
        return IssuedToken(
            access_token=token,
            scope=issued.scope,
            expires_in=max(0, math.floor(remaining)),
            grant_id=issued.jti,
            position=position,
        )
