"""Opaque access tokens: how one is made, and the digest that is all the ledger keeps of it."""

import hashlib
from base64 import urlsafe_b64encode

TOKEN_BYTES = 96
TOKEN_LENGTH = 128
DIGEST_BYTES = 32


def new_token(random_bytes: bytes) -> str:
    """The token of 96 random bytes: base64url without padding, 128 characters.

    Raises ValueError for any other amount of randomness.
    """
    if len(random_bytes) != TOKEN_BYTES:
        msg = f"an opaque token is made of {TOKEN_BYTES} random bytes, got {len(random_bytes)}"
        raise ValueError(msg)
    return urlsafe_b64encode(random_bytes).decode("ascii")


def digest(token: str) -> bytes:
    """SHA-256 of a token as presented, 32 bytes. Any text has a digest; only an issued token's is in the log."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
