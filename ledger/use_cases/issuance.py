"""Use case: issue an access token (RFC 6749 §4.4)."""

import math
from dataclasses import dataclass
from uuid import UUID

from msgspec import Struct

from ledger.domain.client import Client
from ledger.domain.clock import Clock, RandomBytes
from ledger.domain.errors import InvalidClient
from ledger.domain.grant import issue_by_client_credentials
from ledger.domain.identifiers import UUID7_RANDOM_BYTES, build_uuid7
from ledger.domain.recording import Cause, EventMapper, StreamEvent, StreamGuard, VersionConflict, Write
from ledger.domain.scope import Scope
from ledger.domain.secrets import TOKEN_BYTES, generate_token, hash_token
from ledger.use_cases.ports import Clients, Writer


class IssuedToken(Struct, frozen=True):
    """A new access token, to be sent to the client. The token itself is not stored anywhere.

    `expires_in` is in whole seconds from now, rounded down. `position` is that of its event in the stream `grant_id`.
    """

    access_token: str
    scope: Scope
    expires_in: int
    grant_id: UUID
    position: int

    @property
    def jti(self) -> str:
        """The jti of the token, as text."""
        return str(self.grant_id)


@dataclass(kw_only=True, eq=False)
class TokenIssuance:
    """Issues the tokens of one issuer."""

    clients: Clients
    writer: Writer
    mapper: EventMapper
    clock: Clock
    random_bytes: RandomBytes

    async def issue_token(self, client: Client, requested: Scope | None, cause: Cause) -> IssuedToken:
        """Issue a token to an authenticated client; return once it is recorded and visible to introspection.

        If the client was changed or disabled since it was authenticated, the write conflicts and the decision is taken
        again. Raises UnauthorizedClient, InvalidScope, InvalidClient (disabled meanwhile) or Unavailable.
        """
        while True:
            now = self.clock()
            random_bytes = self.random_bytes(TOKEN_BYTES + UUID7_RANDOM_BYTES)
            token = generate_token(random_bytes[:TOKEN_BYTES])
            grant_id = build_uuid7(now, random_bytes[TOKEN_BYTES:])
            issued = issue_by_client_credentials(
                client, requested, now=now, grant_id=grant_id, digest=hash_token(token)
            )
            row = self.mapper.encode(StreamEvent(grant_id, 1, issued), cause)
            try:
                result = await self.writer.write(Write((row,), (StreamGuard(client.id, client.version),)))
            except VersionConflict:
                client = await self._reload(client.client_id)
                continue
            remaining = issued.expires_at.timestamp() - self.clock().timestamp()
            return IssuedToken(token, issued.scope, max(0, math.floor(remaining)), grant_id, result.positions[-1])

    async def _reload(self, client_id: str) -> Client:
        client = await self.clients.get(client_id)
        if client is None or not client.enabled:
            raise InvalidClient
        return client
