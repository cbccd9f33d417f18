"""Tokens by number: the value of token n, its position in the log and its revocation all follow from n.

So any part of a log can be written without the parts before it, and the length of a log is enough to send requests
about its tokens. Logs of the same length differ only in their times.
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
"""The registration and the secret of each client, which precede the first token in the log."""

SCOPES: Final = (
    ("country.read", "customer.read", "customer.write"),
    ("country.read",),
    ("customer.read",),
    ("invoice.read", "invoice.write"),
)
REVOKED_EVERY: Final = 20
"""One of this many tokens is revoked."""

TOKENS_UNTIL_REVOCATION: Final = 500
"""Tokens issued between the issuance of a token and its revocation."""

REASON: Final = "revoked by its client"


@dataclass(frozen=True)
class NumberedTokens:
    """Tokens 0 to `count` - 1, issued every `step` from `begin` on.

    `demo`: the clients are demo clients. `serve --demo` accepts only such clients, and `serve` refuses them.
    """

    count: int
    begin: datetime
    step: timedelta
    lifetime: timedelta
    demo: bool

    @property
    def events(self) -> int:
        """The newest position of the log."""
        return CLIENT_EVENTS + self.count + revocations_before(self.count)

    @property
    def end(self) -> datetime:
        """The time of the newest event."""
        return self.recorded_at(max(0, self.count - 1))

    def recorded_at(self, number: int) -> datetime:
        return self.begin + number * self.step

    def revoked_with(self, number: int) -> int | None:
        """Return the token whose issuance precedes the revocation of this token; None when it is not revoked."""
        cause = number + TOKENS_UNTIL_REVOCATION
        return cause if number % REVOKED_EVERY == 0 and cause < self.count else None

    def issued(self, number: int) -> TokenIssued:
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
        """Return the revocation of a token, recorded directly after the issuance of token `cause`."""
        return TokenRevoked(
            jti=token.jti,
            digest=token.digest,
            client_id=token.client_id,
            revoked_at=self.recorded_at(cause).replace(microsecond=0),
            reason=REASON,
        )

    def client_events(self) -> Iterator[tuple[UUID, int, ClientEvent]]:
        """Yield stream, version and event of the clients, which precede the first token."""
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
        return _jti(self.recorded_at(number), _entropy(number))


def numbered_tokens(count: int, *, rate: float, lifetime: timedelta, demo: bool) -> NumberedTokens:
    """Return `count` tokens, issued at `rate` per second of recorded time until just now."""
    step = timedelta(seconds=1 / rate)
    end = datetime.now(UTC) - timedelta(seconds=2)
    return NumberedTokens(count, end - count * step, step, lifetime, demo)


def issued_position(number: int) -> int:
    """Return the position of the issuance of a token."""
    return CLIENT_EVENTS + number + 1 + revocations_before(number)


def revocations_before(number: int) -> int:
    """Return the number of revocations before the issuance of a token."""
    return max(0, (number - TOKENS_UNTIL_REVOCATION + REVOKED_EVERY - 1) // REVOKED_EVERY)


def token(number: int) -> str:
    """Return the opaque value of a token."""
    return generate_token(_entropy(number)[:TOKEN_BYTES])


def client_of(number: int) -> str:
    """Return the client of a token."""
    return _client_of(_entropy(number))


def client_name(number: int) -> str:
    return f"client-{number}"


def client_secret(client: str) -> str:
    """Return the secret of a client, which is derived from its name."""
    return generate_secret(shake_256(client.encode()).digest(SECRET_BYTES))


def _entropy(number: int) -> bytes:
    return shake_256(b"token %d" % number).digest(TOKEN_BYTES + 2 + UUID7_RANDOM_BYTES)


def _client_of(entropy: bytes) -> str:
    return client_name(entropy[TOKEN_BYTES] % CLIENTS)


def _jti(at: datetime, entropy: bytes) -> UUID:
    return build_uuid7(at, entropy[-UUID7_RANDOM_BYTES:])
