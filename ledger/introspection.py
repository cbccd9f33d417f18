"""Use case: say whether a token is active (RFC 7662). It reads; nothing is ever recorded here."""

from ledger import opaque_tokens
from ledger.client import Client
from ledger.clock import Clock
from ledger.errors import UnauthorizedClient
from ledger.ports import ActiveToken, ActiveTokens


class TokenIntrospection:
    """Introspects tokens of one issuer."""

    def __init__(self, *, active_tokens: ActiveTokens, clock: Clock) -> None:
        self._active_tokens = active_tokens
        self._clock = clock

    async def by_client(self, client: Client, token: str) -> ActiveToken | None:
        """The token, if it is active now and this client may see it; None otherwise, whatever the cause (§2.2).

        Raises UnauthorizedClient when the client may not introspect at all, Unavailable when the view cannot be read.
        """
        if client.settings.introspection == "none":
            msg = "This client may not introspect tokens."
            raise UnauthorizedClient(msg)
        found = await self._active_tokens.get(opaque_tokens.digest(token))
        if found is None or found.expires_at <= self._clock().timestamp():
            return None
        return found if client.may_introspect(found.audience) else None
