"""Use case: introspect a token (RFC 7662). It reads and never appends."""

from dataclasses import dataclass
from typing import TypeGuard

from ledger.domain.clock import Clock
from ledger.domain.errors import UnauthorizedClient
from ledger.domain.secrets import hash_token
from ledger.use_cases.client_authentication import ClientAuthentication
from ledger.use_cases.ports import ActiveToken, ActiveTokens


@dataclass(kw_only=True, eq=False)
class TokenIntrospection:
    """Introspects the tokens of one issuer."""

    authentication: ClientAuthentication
    active_tokens: ActiveTokens
    clock: Clock

    async def introspect(self, client_id: str, secret: str, token: str) -> ActiveToken | None:
        """Authenticate a client; return the token if it is active and the client may see it (RFC 7662 §2.1, §2.2).

        Raises InvalidClient, UnauthorizedClient when the client may not introspect at all, or Unavailable.
        """
        # Both look-ups start before either is awaited, so that they share a query. The token is read only below, once
        # the client is authenticated.
        lookup = self.active_tokens.get(hash_token(token))
        client = await self.authentication.authenticate(client_id, secret)
        if client.settings.introspection == "none":
            msg = "This client may not introspect tokens."
            raise UnauthorizedClient(msg)
        found = await lookup
        return found if self._is_active(found) and client.may_introspect(found.audience) else None

    async def find_active_token(self, token: str) -> ActiveToken | None:
        """Return the token if it is active, for this issuer's own resource server. Raises Unavailable."""
        found = await self.active_tokens.get(hash_token(token))
        return found if self._is_active(found) else None

    def _is_active(self, found: ActiveToken | None) -> TypeGuard[ActiveToken]:
        return found is not None and found.expires_at > self.clock().timestamp()
