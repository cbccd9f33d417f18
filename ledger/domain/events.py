"""The events that are recorded.

A topic and its schema version are stored with every event and outlive this code: a class may be renamed or moved, but
its TOPIC must not change. When a field is added, renamed or removed, increment SCHEMA_VERSION, add an upcaster for the
old version to `ledger.domain.upcasting`, and keep a sample of the old form in the golden corpus of the tests.
"""

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from msgspec import Meta, Struct

Instant = Annotated[datetime, Meta(tz=True)]
"""An instant in UTC. A payload in which it has no time zone is corrupt."""


class Event(Struct, frozen=True, kw_only=True):
    """Base of all events. Time and cause are recorded with an event (see `ledger.domain.recording`)."""

    TOPIC: ClassVar[str]
    SCHEMA_VERSION: ClassVar[int] = 1


class TokenIssued(Event, frozen=True, kw_only=True):
    """An access token was issued."""

    TOPIC: ClassVar[str] = "token.issued"

    jti: UUID
    """The token's public id, a UUID version 7."""
    digest: bytes
    """SHA-256 of the token, 32 bytes. The token itself is not stored."""
    client_id: str
    """The client that the token was issued to."""
    subject: str
    """The `sub` of the token: the client id for client_credentials."""
    scope: tuple[str, ...]
    """The scope tokens granted, in the order requested. May be empty."""
    audience: tuple[str, ...]
    """The `aud` of the token: the client's audience setting, or the client id."""
    grant_type: str
    """`client_credentials`."""
    token_format: str
    """`opaque`."""
    issued_at: Instant
    """In whole seconds."""
    expires_at: Instant
    """`issued_at` plus the client's token lifetime. The token is active before this instant, not at it."""


class TokenRevoked(Event, frozen=True, kw_only=True):
    """An access token was revoked before it expired."""

    TOPIC: ClassVar[str] = "token.revoked"

    jti: UUID
    digest: bytes
    """As in `token.issued`."""
    client_id: str
    """The client that the token was issued to. The actor of the event is the one that revoked it."""
    revoked_at: Instant
    reason: str
    """Free text for people. `revoked by its client` for a revocation over HTTP."""


SecretKind = Literal["sha256", "argon2id"]


class StoredSecret(Struct, frozen=True, kw_only=True):
    """A client secret as it is stored: only its hash."""

    secret_id: str
    """Eight hexadecimal digits."""
    kind: SecretKind
    """`sha256` for a generated secret, `argon2id` for a chosen one."""
    hash: str
    """Hexadecimal SHA-256, or argon2id in PHC string form."""
    created_at: Instant
    expires_at: Instant | None = None
    """Null: the secret does not expire."""


TokenFormat = Literal["opaque"]
IntrospectionPolicy = Literal["none", "audience", "issuer"]


class ClientSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of a client. Each change records all of them again."""

    name: str
    """For people: 1 to 255 printable characters."""
    grant_types: tuple[str, ...] = ()
    """The grants that the client may use."""
    scopes: tuple[str, ...] = ()
    """The scope tokens that the client may request."""
    default_scopes: tuple[str, ...] = ()
    """The scope tokens granted when a request names none; a subset of `scopes`."""
    audience: tuple[str, ...] = ()
    """The resource servers that its tokens are for. Empty: the client itself."""
    token_format: TokenFormat = "opaque"  # noqa: S105 (a format, not a secret)
    access_token_lifetime: int = 3600
    """In seconds, from 1 to ten years."""
    introspection: IntrospectionPolicy = "none"
    """The tokens that the client may introspect: none, those whose audience names it, or all tokens of the issuer."""
    demo: bool = False
    """True for a client registered by demo mode. It cannot be changed."""


class ClientRegistered(Event, frozen=True, kw_only=True):
    """A client was registered, without a secret."""

    TOPIC: ClassVar[str] = "client.registered"

    client_id: str
    """1 to 255 visible ASCII characters."""
    settings: ClientSettings
    registered_at: Instant


class ClientUpdated(Event, frozen=True, kw_only=True):
    """A client's settings were replaced."""

    TOPIC: ClassVar[str] = "client.updated"

    client_id: str
    settings: ClientSettings
    """All settings, as they are from now on."""
    updated_at: Instant


class ClientSecretAdded(Event, frozen=True, kw_only=True):
    """A secret was added. The other secrets stay valid."""

    TOPIC: ClassVar[str] = "client.secret_added"

    client_id: str
    secret: StoredSecret


class ClientSecretRetired(Event, frozen=True, kw_only=True):
    """The end of a secret was set."""

    TOPIC: ClassVar[str] = "client.secret_retired"

    client_id: str
    secret_id: str
    expires_at: Instant
    """May be in the future, so that an old and a new secret overlap during a rotation."""


class ClientDisabled(Event, frozen=True, kw_only=True):
    """The client can no longer authenticate. Its tokens stay active until they expire or are revoked."""

    TOPIC: ClassVar[str] = "client.disabled"

    client_id: str
    disabled_at: Instant
    reason: str
    """Free text for people."""


class ClientEnabled(Event, frozen=True, kw_only=True):
    """A disabled client can authenticate again."""

    TOPIC: ClassVar[str] = "client.enabled"

    client_id: str
    enabled_at: Instant


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
"""All event types. The codec refuses any other."""
