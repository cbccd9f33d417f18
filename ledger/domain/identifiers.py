"""Ids: time-ordered UUIDs for grants, and the stream of a client, which follows from its name."""

from datetime import datetime
from uuid import UUID, uuid5

_CLIENT_STREAMS = UUID("6e7f2c1a-9d0b-5a43-8f0e-3c5b1d2a4e60")
RANDOM_BYTES = 10

_NEITHER = ~((0xF << 76) | (0x3 << 62))
_VERSION_7_AND_VARIANT = (0x7 << 76) | (0x2 << 62)


def build_uuid7(now: datetime, random_bytes: bytes) -> UUID:
    """UUID version 7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then 74 random bits.

    Ids made later sort later, so index pages fill in order instead of at random places.
    Takes 10 random bytes, of which 6 bits are overwritten by version and variant.
    """
    if len(random_bytes) != RANDOM_BYTES:
        msg = f"a time-ordered UUID takes {RANDOM_BYTES} random bytes, got {len(random_bytes)}"
        raise ValueError(msg)
    milliseconds = int(now.timestamp() * 1000)
    value = (milliseconds << 80) | int.from_bytes(random_bytes, "big")
    return UUID(int=value & _NEITHER | _VERSION_7_AND_VARIANT)


def client_stream_id(client_id: str) -> UUID:
    """The stream of a client: UUID version 5 of its id, so registering one id twice is a version conflict."""
    return uuid5(_CLIENT_STREAMS, client_id)
