"""Stream ids: time-ordered UUIDs for grants, name-based UUIDs for clients."""

from datetime import datetime
from uuid import UUID, uuid5

UUID7_RANDOM_BYTES = 10

_CLIENT_STREAMS = UUID("6e7f2c1a-9d0b-5a43-8f0e-3c5b1d2a4e60")
_VERSION_AND_VARIANT_CLEARED = ~((0xF << 76) | (0x3 << 62))
_VERSION_7_AND_VARIANT = (0x7 << 76) | (0x2 << 62)


def build_uuid7(now: datetime, random_bytes: bytes) -> UUID:
    """Build a UUID version 7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then 74 random bits.

    It takes 10 random bytes and overwrites 6 of their bits. New ids sort last, so index pages fill in order.
    """
    if len(random_bytes) != UUID7_RANDOM_BYTES:
        msg = f"a time-ordered UUID takes {UUID7_RANDOM_BYTES} random bytes, got {len(random_bytes)}"
        raise ValueError(msg)
    milliseconds = int(now.timestamp() * 1000)
    value = (milliseconds << 80) | int.from_bytes(random_bytes, "big")
    return UUID(int=value & _VERSION_AND_VARIANT_CLEARED | _VERSION_7_AND_VARIANT)


def client_stream_id(client_id: str) -> UUID:
    """Derive a client's stream id: a UUID version 5, so that registering an id twice is a version conflict."""
    return uuid5(_CLIENT_STREAMS, client_id)
