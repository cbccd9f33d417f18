"""The Grant aggregate: the tokens that live and die together.

For client_credentials that is one access token. Its stream id is the token's jti, so a token's history is one index
read from its jti. Decisions are pure: state, command and now go in, an event or a refusal comes out.
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
    """A grant as folded from its stream. `revoked_at` and `revocation_reason` are None while it stands."""

    id: UUID
    version: int
    digest: bytes
    client_id: str
    subject: str
    scope: Scope
    audience: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    revocation_reason: str | None = None

    def is_active(self, now: datetime) -> bool:
        """Whether the token would be honoured at this instant; it ends at expires_at, not after it."""
        return self.revoked_at is None and now < self.expires_at

    def revoke(self, *, now: datetime, reason: str) -> TokenRevoked | None:
        """End the grant. None when there is nothing to end: it is revoked or expired already (RFC 7009 §2.2)."""
        if not self.is_active(now):
            return None
        return TokenRevoked(jti=self.id, digest=self.digest, client_id=self.client_id, revoked_at=now, reason=reason)


def issue_by_client_credentials(
    client: Client, requested: Scope | None, *, now: datetime, grant_id: UUID, digest: bytes
) -> TokenIssued:
    """Decide an access token request of RFC 6749 §4.4; `requested` is None when no scope parameter was sent.

    The token's times are whole seconds, so that the exp it is introspected with is exactly when it ends.
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


def evolve_grant(grant: Grant | None, recorded: StreamEvent) -> Grant:
    """The grant after one more event of its stream. Raises ValueError for an event that cannot follow."""
    event = recorded.event
    match event:
        case TokenIssued() if grant is None:
            return Grant(
                id=recorded.stream_id,
                version=recorded.stream_version,
                digest=event.digest,
                client_id=event.client_id,
                subject=event.subject,
                scope=event.scope,
                audience=event.audience,
                issued_at=event.issued_at,
                expires_at=event.expires_at,
            )
        case TokenRevoked() if grant is not None and grant.revoked_at is None:
            return replace(
                grant,
                version=recorded.stream_version,
                revoked_at=event.revoked_at,
                revocation_reason=event.reason,
            )
    msg = f"{event.TOPIC} cannot be event {recorded.stream_version} of a grant"
    raise ValueError(msg)


def fold_grant(stream: Iterable[StreamEvent]) -> Grant | None:
    """A grant from its whole stream, or None when the stream is empty."""
    grant: Grant | None = None
    for recorded in stream:
        grant = evolve_grant(grant, recorded)
    return grant
