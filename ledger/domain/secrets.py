"""Client secrets: how they are made, kept and checked.

A secret that we generate holds 256 random bits, so one SHA-256 is enough to keep it. A secret that a person chose is
kept as argon2id (RFC 9106), with the parameters OWASP gives as its minimum: 19 MiB, two passes, one lane.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from datetime import datetime

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from ledger.domain.clock import in_utc
from ledger.domain.events import StoredSecret

GENERATED_BYTES = 32
SALT_BYTES = 16
LONGEST_SECRET = 1024

_argon2 = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, type=Type.ID)


def generate_secret(random_bytes: bytes) -> str:
    """A secret of 32 random bytes: base64url without padding, 43 characters."""
    if len(random_bytes) != GENERATED_BYTES:
        msg = f"a generated secret takes {GENERATED_BYTES} random bytes, got {len(random_bytes)}"
        raise ValueError(msg)
    return urlsafe_b64encode(random_bytes).rstrip(b"=").decode("ascii")


def keep_generated(secret: str, *, secret_id: str, now: datetime, expires_at: datetime | None = None) -> StoredSecret:
    """What is stored of a secret from generate_secret."""
    return StoredSecret(
        secret_id=secret_id, kind="sha256", hash=_sha256(secret), created_at=now, expires_at=_end(expires_at)
    )


def keep_chosen(
    secret: str, *, secret_id: str, salt: bytes, now: datetime, expires_at: datetime | None = None
) -> StoredSecret:
    """What is stored of a secret that a person chose. Takes tens of milliseconds, on purpose."""
    return StoredSecret(
        secret_id=secret_id,
        kind="argon2id",
        hash=_argon2.hash(secret.encode("utf-8", "surrogatepass"), salt=salt),
        created_at=now,
        expires_at=_end(expires_at),
    )


def matches_generated(secret: str, stored: StoredSecret) -> bool:
    """Whether this is the generated secret; False for one of another kind."""
    return stored.kind == "sha256" and hmac.compare_digest(_sha256(secret), stored.hash)


def matches_chosen(secret: str, stored_hash: str) -> bool:
    """Whether this is the secret behind an argon2id hash. Takes as long when it is not."""
    try:
        return _argon2.verify(stored_hash, secret.encode("utf-8", "surrogatepass"))
    except (VerificationError, InvalidHashError):
        return False


def decoy_hash() -> str:
    """An argon2id hash that no secret has, verified where there is nothing to verify so that it takes as long."""
    return _DECOY


def _end(expires_at: datetime | None) -> datetime | None:
    return None if expires_at is None else in_utc(expires_at)


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


# All zeros in place of the digest, so that nobody knows a secret that it is the hash of.
_DECOY = _argon2.hash(b"", salt=b"\x00" * SALT_BYTES).rpartition("$")[0] + "$" + "A" * 43
