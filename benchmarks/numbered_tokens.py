"""Tokens by number: what token n is, where in the log it was issued, and whether it was revoked all follow from n.

So any part of a log can be written without the parts before it, and whoever knows how long the log is can present its
tokens, as their clients and over HTTP. The same log, but for its instants, comes of the same length.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import shake_256
from typing import Final
from uuid import UUID

from ledger.domain.events import (
    ClientEvent,
    ClientRegistered,
    ClientSecretAdded,
    ClientSettings,
    TokenIssued,
    TokenRevoked,
)
from ledger.domain.grant import CLIENT_CREDENTIALS
from ledger.domain.identifiers import UUID7_RANDOM_BYTES, build_uuid7, client_stream_id
from ledger.domain.secrets import (
    SECRET_BYTES,
    TOKEN_BYTES,
    generate_secret,
    generate_token,
    hash_generated_secret,
    hash_token,
)

CLIENTS: Final = 50
CLIENT_EVENTS: Final = 2 * CLIENTS
"""Each is registered and given a secret: so many positions come before the first token."""

SCOPES: Final = (
    ("country.read", "customer.read", "customer.write"),
    ("country.read",),
    ("customer.read",),
    ("invoice.read", "invoice.write"),
)
REVOKED_EVERY: Final = 20
"""One token in so many is revoked."""

LATER: Final = 500
"""Tokens that are issued between an issuance and its revocation."""

REASON: Final = "revoked by its client"


@dataclass(frozen=True)
class NumberedTokens:
    """Tokens 0 to `count`, one every `step` from `begin` on, of lifetime `lifetime`.

    `demo` says that their clients are of the demo: `serve --demo` serves no others, and `serve` alone none of those.
    """

    count: int
    begin: datetime
    step: timedelta
    lifetime: timedelta
    demo: bool

    @property
    def events(self) -> int:
        """How long the log is: its newest position."""
        return CLIENT_EVENTS + self.count + revocations_before(self.count)

    @property
    def end(self) -> datetime:
        """When the newest event was recorded."""
        return self.recorded_at(max(0, self.count - 1))

    def recorded_at(self, number: int) -> datetime:
        """When a token was issued, to the microsecond."""
        return self.begin + number * self.step

    def revoked_with(self, number: int) -> int | None:
        """The token after whose issuance this one was revoked, None for one that was not."""
        cause = number + LATER
        return cause if number % REVOKED_EVERY == 0 and cause < self.count else None

    def issued(self, number: int) -> TokenIssued:
        """The event that issued a token."""
        entropy = _entropy(number)
        at = self.recorded_at(number)
        client = _client_of(entropy)
        issued_at = at.replace(microsecond=0)
        return TokenIssued(
            jti=_jti(at, entropy),
            digest=hash_token(generate_token(entropy[:TOKEN_BYTES])),
            client_id=client,
            subject=client,
            scope=SCOPES[entropy[TOKEN_BYTES + 1] % len(SCOPES)],
            audience=(client,),
            grant_type=CLIENT_CREDENTIALS,
            token_format="opaque",
            issued_at=issued_at,
            expires_at=issued_at + self.lifetime,
        )

    def revoked(self, token: TokenIssued, cause: int) -> TokenRevoked:
        """The event that revoked a token, recorded right after token `cause` was issued."""
        return TokenRevoked(
            jti=token.jti,
            digest=token.digest,
            client_id=token.client_id,
            revoked_at=self.recorded_at(cause).replace(microsecond=0),
            reason=REASON,
        )

    def client_events(self) -> Iterator[tuple[UUID, int, ClientEvent]]:
        """Stream, version and event of what comes before the first token: its clients."""
        settings = ClientSettings(
            name="a client with many tokens",
            grant_types=(CLIENT_CREDENTIALS,),
            scopes=tuple(sorted({scope for scopes in SCOPES for scope in scopes})),
            access_token_lifetime=int(self.lifetime.total_seconds()),
            demo=self.demo,
        )
        for number in range(CLIENTS):
            client = client_name(number)
            stream = client_stream_id(client)
            secret = hash_generated_secret(client_secret(client), secret_id="first", now=self.begin)
            yield stream, 1, ClientRegistered(client_id=client, settings=settings, registered_at=self.begin)
            yield stream, 2, ClientSecretAdded(client_id=client, secret=secret)

    def jti(self, number: int) -> UUID:
        """The id of a token."""
        return _jti(self.recorded_at(number), _entropy(number))


def numbered_tokens(count: int, *, rate: float, lifetime: timedelta, demo: bool) -> NumberedTokens:
    """So many tokens at so many a second of recorded time, up to a moment ago."""
    step = timedelta(seconds=1 / rate)
    end = datetime.now(UTC) - timedelta(seconds=2)
    return NumberedTokens(count, end - count * step, step, lifetime, demo)


def issued_position(number: int) -> int:
    """Where in the log a token was issued."""
    return CLIENT_EVENTS + number + 1 + revocations_before(number)


def revocations_before(number: int) -> int:
    """How many revocations come before the issuance of a token."""
    return max(0, (number - LATER + REVOKED_EVERY - 1) // REVOKED_EVERY)


def token(number: int) -> str:
    """A token, as its client presents it."""
    return generate_token(_entropy(number)[:TOKEN_BYTES])


def client_of(number: int) -> str:
    """The client that a token was issued to."""
    return _client_of(_entropy(number))


def client_name(number: int) -> str:
    """The id of a client, by its number."""
    return f"client-{number}"


def client_secret(client: str) -> str:
    """The secret of a client. No secret to anybody: it follows from the name."""
    return generate_secret(shake_256(client.encode()).digest(SECRET_BYTES))


def _entropy(number: int) -> bytes:
    return shake_256(b"token %d" % number).digest(TOKEN_BYTES + 2 + UUID7_RANDOM_BYTES)


def _client_of(entropy: bytes) -> str:
    return client_name(entropy[TOKEN_BYTES] % CLIENTS)


def _jti(at: datetime, entropy: bytes) -> UUID:
    return build_uuid7(at, entropy[-UUID7_RANDOM_BYTES:])
