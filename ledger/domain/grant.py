"""The Grant aggregate: tokens that are issued and revoked together.

For client_credentials that is one access token, and the grant's stream id is the token's jti. Decisions are pure: they
take state, command and time, and return an event or raise a refusal.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from ledger.domain.client import Client
from ledger.domain.errors import InvalidScope, UnauthorizedClient
from ledger.domain.events import TokenIssued, TokenRevoked
from ledger.domain.recording import StreamEvent
from ledger.domain.scope import Scope

CLIENT_CREDENTIALS = "client_credentials"


class Grant(Struct, frozen=True, kw_only=True):
    """What a decision about a grant depends on, folded from its stream."""

    id: UUID
    version: int
    digest: bytes
    client_id: str
    expires_at: datetime
    revoked_at: datetime | None = None

    def is_active(self, now: datetime) -> bool:
        """Whether the token is active at this instant. It is expired from `expires_at` on."""
        return self.revoked_at is None and now < self.expires_at

    def revoke(self, *, now: datetime, reason: str) -> TokenRevoked | None:
        """Revoke the grant; None when it is revoked or expired already (RFC 7009 §2.2)."""
        if not self.is_active(now):
            return None
        return TokenRevoked(jti=self.id, digest=self.digest, client_id=self.client_id, revoked_at=now, reason=reason)


def issue_by_client_credentials(
    client: Client, requested: Scope | None, *, now: datetime, grant_id: UUID, digest: bytes
) -> TokenIssued:
    """Decide an access token request of RFC 6749 §4.4; `requested` is None when it has no scope parameter.

    Times are whole seconds, so that a token ends exactly at the `exp` of its introspection.
    Raises UnauthorizedClient or InvalidScope.
    """
    settings = client.settings
    if CLIENT_CREDENTIALS not in settings.grant_types:
        msg = "This client may not use the client_credentials grant."
        raise UnauthorizedClient(msg)
    scope = settings.default_scopes if requested is None else requested
    for token in scope:
        if token not in settings.scopes:
            msg = f"The scope '{token}' is unknown or not allowed for this client."
            raise InvalidScope(msg)
    issued_at = now.replace(microsecond=0)
    return TokenIssued(
        jti=grant_id,
        digest=digest,
        client_id=client.client_id,
        subject=client.client_id,
        scope=scope,
        audience=settings.audience or (client.client_id,),
        grant_type=CLIENT_CREDENTIALS,
        token_format=settings.token_format,
        issued_at=issued_at,
        expires_at=issued_at + timedelta(seconds=settings.access_token_lifetime),
    )


def fold_grant(stream: Iterable[StreamEvent]) -> Grant | None:
    """Fold a grant from its whole stream; None when it is empty. Raises ValueError for an event that cannot follow."""
    grant: Grant | None = None
    for recorded in stream:
        event, version = recorded.event, recorded.stream_version
        if isinstance(event, TokenIssued) and grant is None:
            grant = Grant(
                id=recorded.stream_id,
                version=version,
                digest=event.digest,
                client_id=event.client_id,
                expires_at=event.expires_at,
            )
        elif isinstance(event, TokenRevoked) and grant is not None and grant.revoked_at is None:
            grant = replace(grant, version=version, revoked_at=event.revoked_at)
        else:
            msg = f"{event.TOPIC} cannot be event {version} of a grant"
            raise ValueError(msg)
    return grant
