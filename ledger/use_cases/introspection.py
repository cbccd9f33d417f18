"""Use case: say whether a token is active (RFC 7662). It reads; nothing is ever recorded here."""

from collections.abc import Awaitable

from ledger.domain import opaque_tokens
from ledger.domain.client import Client
from ledger.domain.clock import Clock
from ledger.domain.errors import UnauthorizedClient
from ledger.use_cases.ports import ActiveToken, ActiveTokens


class TokenIntrospection:
    """Introspects tokens of one issuer."""

    def __init__(self, *, active_tokens: ActiveTokens, clock: Clock) -> None:
        self._active_tokens = active_tokens
        self._clock = clock

    def look_up(self, token: str) -> Awaitable[ActiveToken | None]:
        """Begin to look a token up, while its presenter is still being authenticated. For `show`, and nobody else."""
        return self._active_tokens.get(opaque_tokens.digest(token))

    async def presented(self, token: str) -> ActiveToken | None:
        """The token, if it is active now, for a resource server of this issuer's own. Raises Unavailable."""
        return self._if_active(await self.look_up(token))

    async def by_client(self, client: Client, token: str) -> ActiveToken | None:
        """Look a token up and show it to a client, as `show` does."""
        return await self.show(client, self.look_up(token))

    async def show(self, client: Client, looked_up: Awaitable[ActiveToken | None]) -> ActiveToken | None:
        """The token, if it is active now and this client may see it; None otherwise, whatever the cause (§2.2).

        Raises UnauthorizedClient when the client may not introspect at all, Unavailable when the view cannot be read.
        """
        if client.settings.introspection == "none":
            msg = "This client may not introspect tokens."
            raise UnauthorizedClient(msg)
        found = self._if_active(await looked_up)
        return found if found is not None and client.may_introspect(found.audience) else None

    def _if_active(self, found: ActiveToken | None) -> ActiveToken | None:
        return found if found is not None and found.expires_at > self._clock().timestamp() else None
