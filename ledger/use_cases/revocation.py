"""Use case: revoke a token, as its client (RFC 7009) or as an operator."""

from dataclasses import dataclass
from uuid import UUID

from ledger.domain.client import Client
from ledger.domain.clock import Clock
from ledger.domain.errors import UnauthorizedClient, UnknownToken
from ledger.domain.events import TokenIssued
from ledger.domain.grant import Grant, fold_grant
from ledger.domain.recording import Cause, EventMapper, StreamEvent, VersionConflict, Write
from ledger.domain.secrets import hash_token
from ledger.use_cases.ports import ActiveTokens, Streams, Writer

BY_CLIENT = "revoked by its client"


@dataclass(kw_only=True, eq=False)
class TokenRevocation:
    """Revokes the tokens of one issuer. Revoking a token twice appends one event."""

    active_tokens: ActiveTokens
    streams: Streams
    writer: Writer
    mapper: EventMapper
    clock: Clock

    async def revoke_token(self, client: Client, token: str, cause: Cause) -> int | None:
        """Revoke a token for the client it was issued to (RFC 7009 §2.1).

        Returns the position of the revocation, or None when the token is unknown, or expired or revoked already. Raises
        UnauthorizedClient when it was issued to another client, or Unavailable.
        """
        found = await self.active_tokens.get(hash_token(token))
        if found is None or found.expires_at <= self.clock().timestamp():
            return None
        if found.client_id != client.client_id:
            msg = "The token was issued to another client."
            raise UnauthorizedClient(msg)
        return await self.revoke_by_jti(found.jti, BY_CLIENT, cause)

    async def revoke_by_jti(self, jti: UUID, reason: str, cause: Cause) -> int | None:
        """Revoke any token by its jti; returns as `revoke_token` does. Raises UnknownToken or Unavailable."""
        while True:
            grant = await self._load(jti)
            revoked = grant.revoke(now=self.clock(), reason=reason)
            if revoked is None:
                return None
            row = self.mapper.encode(StreamEvent(grant.id, grant.version + 1, revoked), cause)
            try:
                result = await self.writer.write(Write((row,)))
            except VersionConflict:
                continue
            return result.positions[-1]

    async def _load(self, jti: UUID) -> Grant:
        rows = await self.streams.read_stream(jti)
        if not rows or rows[0].topic != TokenIssued.TOPIC:  # the id of a client's stream is not a jti
            msg = f"No token with jti {jti} was ever issued by this issuer."
            raise UnknownToken(msg)
        grant = fold_grant(self.mapper.decode(row) for row in rows)
        assert grant is not None
        return grant
