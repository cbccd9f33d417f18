"""The Client aggregate: who may ask for tokens, with which secrets, and what they may have."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from ledger.domain.client_settings import check_client_id, check_settings
from ledger.domain.clock import in_utc
from ledger.domain.errors import InvalidRegistration
from ledger.domain.events import (
    ClientDisabled,
    ClientEnabled,
    ClientRegistered,
    ClientSecretAdded,
    ClientSecretRetired,
    ClientSettings,
    ClientUpdated,
    StoredSecret,
)
from ledger.domain.recording import StreamEvent

MAX_VALID_SECRETS = 2
"""How many secrets may be valid at once: the old and the new of a rotation. It bounds the work of a failed login."""


class Client(Struct, frozen=True, kw_only=True):
    """A client as folded from its stream. `secrets` holds retired ones too, for the record."""

    id: UUID
    version: int
    client_id: str
    settings: ClientSettings
    secrets: tuple[StoredSecret, ...] = ()
    enabled: bool = True

    def valid_secrets(self, now: datetime) -> tuple[StoredSecret, ...]:
        """The secrets that authenticate at this instant."""
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
        """Replace the settings; None when they already are so. Raises InvalidRegistration."""
        check_settings(settings)
        if settings == self.settings:
            return None
        if settings.demo != self.settings.demo:
            msg = f"client {self.client_id!r}: 'demo' cannot be changed after registration"
            raise InvalidRegistration(msg)
        return ClientUpdated(client_id=self.client_id, settings=settings, updated_at=now)

    def add_secret(self, secret: StoredSecret, *, now: datetime) -> ClientSecretAdded:
        """Add a secret beside those there are. Raises InvalidRegistration."""
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
        """End a secret at an instant, now or ahead; None when it ends no later already.

        Raises InvalidRegistration when there is no such secret.
        """
        for secret in self.secrets:
            if secret.secret_id == secret_id:
                at = max(in_utc(expires_at), now)
                if secret.expires_at is not None and secret.expires_at <= at:
                    return None
                return ClientSecretRetired(client_id=self.client_id, secret_id=secret_id, expires_at=at)
        msg = f"client {self.client_id!r} has no secret with id {secret_id!r}"
        raise InvalidRegistration(msg)

    def disable(self, *, now: datetime, reason: str) -> ClientDisabled | None:
        """Shut the client out; None when it is already."""
        if not self.enabled:
            return None
        return ClientDisabled(client_id=self.client_id, disabled_at=now, reason=reason)

    def enable(self, *, now: datetime) -> ClientEnabled | None:
        """Let the client in again; None when it is."""
        if self.enabled:
            return None
        return ClientEnabled(client_id=self.client_id, enabled_at=now)


def register(client_id: str, settings: ClientSettings, *, now: datetime) -> ClientRegistered:
    """Register a new client. Raises InvalidRegistration. That the id is free is checked when it is recorded."""
    check_client_id(client_id)
    check_settings(settings)
    return ClientRegistered(client_id=client_id, settings=settings, registered_at=now)


def evolve_client(client: Client | None, recorded: StreamEvent) -> Client:
    """The client after one more event of its stream. Raises ValueError for an event that cannot follow."""
    event = recorded.event
    version = recorded.originator_version
    if isinstance(event, ClientRegistered) and client is None:
        return Client(id=recorded.originator_id, version=version, client_id=event.client_id, settings=event.settings)
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
    """A client from its whole stream, or None when the stream is empty."""
    client: Client | None = None
    for recorded in stream:
        client = evolve_client(client, recorded)
    return client
