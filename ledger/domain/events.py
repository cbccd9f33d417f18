"""The facts that are recorded. Past tense, explicit topics, frozen.

A topic and its schema version are stored with every event and outlive this code: a class may be renamed or moved, its
TOPIC may not change. When a field is added, renamed or removed, SCHEMA_VERSION goes up by one, an upcaster for the old
version goes into `ledger.domain.upcasting`, and a sample of the old form stays in the golden corpus of the tests.
"""

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from msgspec import Meta, Struct

Instant = Annotated[datetime, Meta(tz=True)]
"""A moment in UTC. A payload that holds one without its zone is corrupt."""


class Event(Struct, frozen=True, kw_only=True):
    """Base of all events: what happened, without when it was recorded and who asked (see `ledger.domain.recording`)."""

    TOPIC: ClassVar[str]
    SCHEMA_VERSION: ClassVar[int] = 1


class TokenIssued(Event, frozen=True, kw_only=True):
    """An access token was issued. The token itself is not here: `digest` is its SHA-256, 32 bytes."""

    TOPIC: ClassVar[str] = "token.issued"

    jti: UUID
    digest: bytes
    client_id: str
    subject: str
    scope: tuple[str, ...]
    audience: tuple[str, ...]
    grant_type: str
    token_format: str
    issued_at: Instant
    expires_at: Instant


class TokenRevoked(Event, frozen=True, kw_only=True):
    """An access token was revoked before its time. `reason` is for people: why, in a word or a sentence."""

    TOPIC: ClassVar[str] = "token.revoked"

    jti: UUID
    digest: bytes
    client_id: str
    revoked_at: Instant
    reason: str


SecretKind = Literal["sha256", "argon2id"]


class StoredSecret(Struct, frozen=True, kw_only=True):
    """A client secret as it is kept: never the secret, only its hash.

    `kind` sha256 is for the 256 random bits that we generate (`hash` is hexadecimal), argon2id for what people chose
    (`hash` is in PHC string form). Valid until `expires_at`, or without end.
    """

    secret_id: str
    kind: SecretKind
    hash: str
    created_at: Instant
    expires_at: Instant | None = None


TokenFormat = Literal["opaque"]
IntrospectionPolicy = Literal["none", "audience", "issuer"]


class ClientSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client may do, as a whole; each change records the whole again.

    `access_token_lifetime` is in seconds. `audience` names the resource servers of its tokens; empty means the client
    itself. `introspection` says which tokens it may introspect: none, those whose audience names it, or any of
    the issuer.
    """

    name: str
    grant_types: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    default_scopes: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()
    token_format: TokenFormat = "opaque"  # noqa: S105 (a format, not a secret)
    access_token_lifetime: int = 3600
    introspection: IntrospectionPolicy = "none"
    demo: bool = False


class ClientRegistered(Event, frozen=True, kw_only=True):
    """A client was registered, with no secret yet."""

    TOPIC: ClassVar[str] = "client.registered"

    client_id: str
    settings: ClientSettings
    registered_at: Instant


class ClientUpdated(Event, frozen=True, kw_only=True):
    """A client's settings were replaced."""

    TOPIC: ClassVar[str] = "client.updated"

    client_id: str
    settings: ClientSettings
    updated_at: Instant


class ClientSecretAdded(Event, frozen=True, kw_only=True):
    """A secret was added; those the client already had stay valid."""

    TOPIC: ClassVar[str] = "client.secret_added"

    client_id: str
    secret: StoredSecret


class ClientSecretRetired(Event, frozen=True, kw_only=True):
    """A secret ends at `expires_at`, which may lie ahead, so that a rotation can overlap."""

    TOPIC: ClassVar[str] = "client.secret_retired"

    client_id: str
    secret_id: str
    expires_at: Instant


class ClientDisabled(Event, frozen=True, kw_only=True):
    """The client can no longer authenticate. Tokens it already has live on until revoked or expired."""

    TOPIC: ClassVar[str] = "client.disabled"

    client_id: str
    disabled_at: Instant
    reason: str


class ClientEnabled(Event, frozen=True, kw_only=True):
    """A disabled client can authenticate again."""

    TOPIC: ClassVar[str] = "client.enabled"

    client_id: str
    enabled_at: Instant


GrantEvent = TokenIssued | TokenRevoked
ClientEvent = (
    ClientRegistered | ClientUpdated | ClientSecretAdded | ClientSecretRetired | ClientDisabled | ClientEnabled
)

EVENT_TYPES: tuple[type[Event], ...] = (
    TokenIssued,
    TokenRevoked,
    ClientRegistered,
    ClientUpdated,
    ClientSecretAdded,
    ClientSecretRetired,
    ClientDisabled,
    ClientEnabled,
)
"""Every event there is. The codec knows these and no others."""
