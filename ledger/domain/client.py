"""The Client aggregate: its registration, its secrets, and what it may do."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import get_args
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from ledger.domain.clock import to_utc
from ledger.domain.errors import InvalidRegistration
from ledger.domain.events import (
    ClientDisabled,
    ClientEnabled,
    ClientRegistered,
    ClientSecretAdded,
    ClientSecretRetired,
    ClientSettings,
    ClientUpdated,
    IntrospectionPolicy,
    StoredSecret,
    TokenFormat,
)
from ledger.domain.recording import StreamEvent
from ledger.domain.scope import is_scope_token

MAX_VALID_SECRETS = 2
"""The old and the new secret of a rotation. The limit bounds the work of a failed authentication."""

SUPPORTED_GRANT_TYPES = frozenset({"client_credentials"})
MAX_LIFETIME_SECONDS = 10 * 365 * 24 * 3600
MAX_NAME_CHARACTERS = 255

_VISIBLE = re.compile(r"[\x21-\x7E]{1,255}")


class Client(Struct, frozen=True, kw_only=True):
    """A client, folded from its stream. `secrets` includes retired ones."""

    id: UUID
    version: int
    client_id: str
    settings: ClientSettings
    secrets: tuple[StoredSecret, ...] = ()
    enabled: bool = True

    def valid_secrets(self, now: datetime) -> tuple[StoredSecret, ...]:
        """Return the secrets that authenticate the client at this instant."""
        return tuple(s for s in self.secrets if s.expires_at is None or now < s.expires_at)

    def may_introspect(self, audience: tuple[str, ...]) -> bool:
        """Whether this client may see a token of that audience (RFC 7662 §2.2)."""
        match self.settings.introspection:
            case "issuer":
                return True
            case "audience":
                return self.client_id in audience
            case "none":
                return False

    def update(self, settings: ClientSettings, *, now: datetime) -> ClientUpdated | None:
        """Replace the settings; None when they are the same. Raises InvalidRegistration."""
        check_settings(settings)
        if settings == self.settings:
            return None
        if settings.demo != self.settings.demo:
            msg = f"client {self.client_id!r}: 'demo' cannot be changed after registration"
            raise InvalidRegistration(msg)
        return ClientUpdated(client_id=self.client_id, settings=settings, updated_at=now)

    def add_secret(self, secret: StoredSecret, *, now: datetime) -> ClientSecretAdded:
        """Add a secret; the others stay valid. Raises InvalidRegistration."""
        if any(s.secret_id == secret.secret_id for s in self.secrets):
            msg = f"client {self.client_id!r} already has a secret with id {secret.secret_id!r}"
            raise InvalidRegistration(msg)
        if secret.expires_at is not None and secret.expires_at <= now:
            msg = f"the new secret of client {self.client_id!r} would expire at {secret.expires_at}, which is past"
            raise InvalidRegistration(msg)
        if len(self.valid_secrets(now)) >= MAX_VALID_SECRETS:
            msg = (
                f"client {self.client_id!r} already has {MAX_VALID_SECRETS} valid secrets: "
                "retire one with 'token-ledger clients retire-secret' first"
            )
            raise InvalidRegistration(msg)
        return ClientSecretAdded(client_id=self.client_id, secret=secret)

    def retire_secret(self, secret_id: str, *, expires_at: datetime, now: datetime) -> ClientSecretRetired | None:
        """End a secret at an instant, but not before `now`; None when it already ends by then.

        Raises InvalidRegistration when there is no such secret.
        """
        for secret in self.secrets:
            if secret.secret_id == secret_id:
                end = max(to_utc(expires_at), now)
                if secret.expires_at is not None and secret.expires_at <= end:
                    return None
                return ClientSecretRetired(client_id=self.client_id, secret_id=secret_id, expires_at=end)
        msg = f"client {self.client_id!r} has no secret with id {secret_id!r}"
        raise InvalidRegistration(msg)

    def disable(self, *, now: datetime, reason: str) -> ClientDisabled | None:
        """Stop the client from authenticating; None when it is disabled already."""
        if not self.enabled:
            return None
        return ClientDisabled(client_id=self.client_id, disabled_at=now, reason=reason)

    def enable(self, *, now: datetime) -> ClientEnabled | None:
        """Let a disabled client authenticate again; None when it is enabled already."""
        if self.enabled:
            return None
        return ClientEnabled(client_id=self.client_id, enabled_at=now)


def register(client_id: str, settings: ClientSettings, *, now: datetime) -> ClientRegistered:
    """Register a new client. Raises InvalidRegistration. The append checks that the id is free."""
    check_client_id(client_id)
    check_settings(settings)
    return ClientRegistered(client_id=client_id, settings=settings, registered_at=now)


def evolve_client(client: Client | None, recorded: StreamEvent) -> Client:
    """Apply the next event of a client's stream. Raises ValueError for an event that cannot follow."""
    event = recorded.event
    version = recorded.stream_version
    if isinstance(event, ClientRegistered) and client is None:
        return Client(id=recorded.stream_id, version=version, client_id=event.client_id, settings=event.settings)
    if client is not None:
        match event:
            case ClientUpdated():
                return replace(client, version=version, settings=event.settings)
            case ClientSecretAdded():
                return replace(client, version=version, secrets=(*client.secrets, event.secret))
            case ClientSecretRetired():
                secrets = tuple(
                    replace(s, expires_at=event.expires_at) if s.secret_id == event.secret_id else s
                    for s in client.secrets
                )
                return replace(client, version=version, secrets=secrets)
            case ClientDisabled():
                return replace(client, version=version, enabled=False)
            case ClientEnabled():
                return replace(client, version=version, enabled=True)
    msg = f"{event.TOPIC} cannot be event {version} of a client"
    raise ValueError(msg)


def fold_client(stream: Iterable[StreamEvent]) -> Client | None:
    """Fold a client from its whole stream; None when the stream is empty."""
    client: Client | None = None
    for recorded in stream:
        client = evolve_client(client, recorded)
    return client


def check_client_id(client_id: str) -> None:
    """A client id is 1 to 255 visible ASCII characters (RFC 6749 appendix A.1, without the space)."""
    if _VISIBLE.fullmatch(client_id) is None:
        msg = f"client_id {client_id!r}: must be 1 to 255 visible ASCII characters without spaces"
        raise InvalidRegistration(msg)


def check_settings(settings: ClientSettings) -> None:
    """Raises InvalidRegistration naming the first invalid field."""
    for field, problem in _problems(settings):
        msg = f"{field}: {problem}"
        raise InvalidRegistration(msg, field)


def _problems(settings: ClientSettings) -> Iterator[tuple[str, str]]:
    if not settings.name.strip() or len(settings.name) > MAX_NAME_CHARACTERS or not settings.name.isprintable():
        yield "name", f"must be 1 to {MAX_NAME_CHARACTERS} printable characters"
    yield from _unsupported_values(settings)
    for field, values in (("scopes", settings.scopes), ("default_scopes", settings.default_scopes)):
        for malformed in (s for s in values if not is_scope_token(s)):
            yield field, f"{malformed!r} is not a scope token (RFC 6749 §3.3)"
    for unknown in (s for s in settings.default_scopes if s not in settings.scopes):
        yield "default_scopes", f"{unknown!r} is not among the client's scopes"
    for malformed in (a for a in settings.audience if _VISIBLE.fullmatch(a) is None):
        yield "audience", f"{malformed!r} must be 1 to 255 visible ASCII characters without spaces"
    if not 1 <= settings.access_token_lifetime <= MAX_LIFETIME_SECONDS:
        lifetime = settings.access_token_lifetime
        yield "access_token_lifetime", f"must be 1 to {MAX_LIFETIME_SECONDS} seconds, got {lifetime}"
    for field in ("grant_types", "scopes", "default_scopes", "audience"):
        values = getattr(settings, field)
        if len(set(values)) != len(values):
            yield field, "a value is listed twice"


def _unsupported_values(settings: ClientSettings) -> Iterator[tuple[str, str]]:
    # The types promise this too, but an event that breaks the promise could never be read again.
    closed: tuple[tuple[str, Sequence[str], Collection[str]], ...] = (
        ("grant_types", settings.grant_types, SUPPORTED_GRANT_TYPES),
        ("token_format", (settings.token_format,), get_args(TokenFormat)),
        ("introspection", (settings.introspection,), get_args(IntrospectionPolicy)),
    )
    for field, values, known in closed:
        for unknown in (value for value in values if value not in known):
            yield field, f"{unknown!r} is not supported; known are {', '.join(sorted(known))}"
