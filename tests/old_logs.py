"""Logs of long ago with every fate of a token, as an archive finds them; restored, they are in a database as old."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from ledger.domain.events import ClientRegistered, ClientUpdated, Event
from ledger.domain.recording import RecordedEvent, StreamEvent
from tests.archives import OPERATOR, SHOP, recorded
from tests.builders import CAUSE, NOW, settings, token_issued, token_revoked

STEP = timedelta(seconds=10)
LIFETIME = timedelta(minutes=1)
FOR_EVER = timedelta(days=365 * 80)

EXPIRES, REVOKED, LIVES_ON, REVOKED_LATER = range(4)
"""What becomes of a token, by its number modulo four."""


def old_log(tokens: int, *, begin: datetime = NOW, first_stream: int = 1) -> list[RecordedEvent]:
    """A client, changed now and then, and its tokens: every fourth lives on, every fourth is revoked near the end."""
    return [
        recorded(position, begin + position * STEP, placed, OPERATOR if placed.stream_id == SHOP else CAUSE)
        for position, placed in enumerate(_placed(tokens, begin, first_stream), start=1)
    ]


def stream(number: int) -> UUID:
    return UUID(int=number)


def _placed(tokens: int, begin: datetime, first_stream: int) -> Iterator[StreamEvent]:
    yield StreamEvent(SHOP, 1, ClientRegistered(client_id="shop", settings=settings(), registered_at=begin))
    late = []
    version = 1
    for number in range(tokens):
        jti = stream(first_stream + number)
        fate = number % 4
        issued: Event = token_issued(
            jti=jti,
            digest=jti.int.to_bytes(32),
            issued_at=begin + number * STEP,
            expires_at=begin + number * STEP + (LIFETIME if fate == EXPIRES else FOR_EVER),
        )
        yield StreamEvent(jti, 1, issued)
        revoked = StreamEvent(jti, 2, token_revoked(jti=jti, digest=jti.int.to_bytes(32), revoked_at=begin))
        if fate == REVOKED:
            yield revoked
        if fate == REVOKED_LATER:
            late.append(revoked)
        if number % 10 == 9:
            version += 1
            yield StreamEvent(SHOP, version, ClientUpdated(client_id="shop", settings=settings(), updated_at=begin))
    yield from late
