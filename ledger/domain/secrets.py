"""Access tokens and client secrets: how they are generated, hashed and verified.

The ledger stores only hashes. Generated tokens and secrets hold at least 256 random bits, so one SHA-256 is enough. A
secret chosen by a person is hashed with argon2id (RFC 9106) at the minimum that OWASP recommends: 19 MiB, two passes,
one lane.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from datetime import datetime

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from ledger.domain.clock import to_utc
from ledger.domain.events import SecretKind, StoredSecret

TOKEN_BYTES = 96
SECRET_BYTES = 32
SALT_BYTES = 16
MAX_SECRET_CHARACTERS = 1024

_argon2 = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, type=Type.ID)


def generate_token(random_bytes: bytes) -> str:
    """Encode 96 random bytes as an opaque access token: base64url without padding, 128 characters."""
    return _encode(random_bytes, TOKEN_BYTES, "an opaque token")


def hash_token(token: str) -> bytes:
    """Return the digest of a token, valid or not: SHA-256, 32 bytes."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def generate_secret(random_bytes: bytes) -> str:
    """Encode 32 random bytes as a client secret: base64url without padding, 43 characters."""
    return _encode(random_bytes, SECRET_BYTES, "a generated secret")


def hash_generated_secret(
    secret: str, *, secret_id: str, now: datetime, expires_at: datetime | None = None
) -> StoredSecret:
    """Hash a secret from `generate_secret`."""
    return _store(secret_id, "sha256", hash_token(secret).hex(), now, expires_at)


def hash_chosen_secret(
    secret: str, *, secret_id: str, salt: bytes, now: datetime, expires_at: datetime | None = None
) -> StoredSecret:
    """Hash a secret chosen by a person. Takes tens of milliseconds, on purpose."""
    hashed = _argon2.hash(secret.encode("utf-8", "surrogatepass"), salt=salt)
    return _store(secret_id, "argon2id", hashed, now, expires_at)


def verify_generated_secret(secret: str, stored: StoredSecret) -> bool:
    """Whether this is the generated secret; False when the stored one is of another kind."""
    return stored.kind == "sha256" and hmac.compare_digest(hash_token(secret).hex(), stored.hash)


def verify_chosen_secret(secret: str, stored_hash: str) -> bool:
    """Whether an argon2id hash is of this secret. Takes the same time either way."""
    try:
        return _argon2.verify(stored_hash, secret.encode("utf-8", "surrogatepass"))
    except (VerificationError, InvalidHashError):
        return False


def decoy_hash() -> str:
    """Return an argon2id hash that no known secret has, for verifications whose only purpose is the time they take."""
    return _DECOY


def _encode(random_bytes: bytes, length: int, purpose: str) -> str:
    if len(random_bytes) != length:
        msg = f"{purpose} takes {length} random bytes, got {len(random_bytes)}"
        raise ValueError(msg)
    return urlsafe_b64encode(random_bytes).rstrip(b"=").decode("ascii")


def _store(secret_id: str, kind: SecretKind, hashed: str, now: datetime, expires_at: datetime | None) -> StoredSecret:
    end = None if expires_at is None else to_utc(expires_at)
    return StoredSecret(secret_id=secret_id, kind=kind, hash=hashed, created_at=now, expires_at=end)


# The digest is all zeros, so no secret is known that hashes to it.
_DECOY = _argon2.hash(b"", salt=b"\x00" * SALT_BYTES).rpartition("$")[0] + "$" + "A" * 43
