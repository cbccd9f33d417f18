"""Sample logs for tests: a small one with every kind of row, its export, and an old one to be archived."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from ledger.archive.export_format import ExportWriter, build_header
from ledger.archive.export_reader import ExportReader
from ledger.domain.events import ClientDisabled, ClientRegistered, ClientSecretAdded, ClientUpdated, Event
from ledger.domain.identifiers import client_stream_id
from ledger.domain.recording import Cause, EventMapper, RecordedEvent, StreamEvent
from tests.builders import CAUSE, JTI, NOW, recorded_row, seconds, settings, stored_secret, token_issued, token_revoked

ISSUER = "http://localhost:8085/first"
SHOP = client_stream_id("shop")
OPERATOR = Cause(actor="operator:ada")
NEVER_REVOKED = UUID("018f4c2a-1111-7222-8333-444455557777")

STEP = timedelta(seconds=10)
LIFETIME = timedelta(minutes=1)
EIGHTY_YEARS = timedelta(days=365 * 80)

EXPIRES, REVOKED, STAYS_ACTIVE, REVOKED_LATER = range(4)
"""The fate of a token, by its number modulo four."""


def recorded(position: int, recorded_at: datetime, stream_event: StreamEvent, cause: Cause) -> RecordedEvent:
    mapper = EventMapper(random_bytes=lambda size: bytes([position % 256]) * size)
    return recorded_row(mapper.encode(stream_event, cause), position, recorded_at)


def small_log() -> list[RecordedEvent]:
    """A client is registered, gets a secret and two tokens, one of which is revoked, and is disabled."""
    events: list[tuple[UUID, int, Event, Cause]] = [
        (SHOP, 1, ClientRegistered(client_id="shop", settings=settings(name="Loja Açaí"), registered_at=NOW), OPERATOR),
        (SHOP, 2, ClientSecretAdded(client_id="shop", secret=stored_secret()), OPERATOR),
        (JTI, 1, token_issued(), CAUSE),
        (NEVER_REVOKED, 1, token_issued(jti=NEVER_REVOKED, digest=bytes(32)), CAUSE),
        (JTI, 2, token_revoked(), CAUSE),
        (SHOP, 3, ClientDisabled(client_id="shop", disabled_at=NOW, reason="no\nmore \u2028 of it"), OPERATOR),
    ]
    return [
        # Two and two are of one instant, as of one batch; it has microseconds.
        recorded(position, NOW + seconds(position // 2 + 0.000_001), StreamEvent(stream, version, event), cause)
        for position, (stream, version, event, cause) in enumerate(events, start=1)
    ]


def changed(log: Sequence[RecordedEvent], at: int, /, **changes: Any) -> list[RecordedEvent]:
    """The log with other values in the row at a position."""
    return [replace(row, **changes) if row.position == at else row for row in log]


def export_of(log: Sequence[RecordedEvent], **changes: Any) -> list[bytes]:
    """The lines of an export that has these rows, with an end that fits them."""
    last = log[-1].position if log else 0
    given = {"issuer": ISSUER, "log": "first", "head": last, "exported_at": NOW} | changes
    writer = ExportWriter(build_header(**given))
    return [writer.header(), *map(writer.event, log), writer.end()[0]]


def read_export(lines: Sequence[bytes]) -> list[RecordedEvent]:
    return list(ExportReader(iter(lines)).events())


def old_log(tokens: int, *, begin: datetime = NOW, first_stream: int = 1) -> list[RecordedEvent]:
    """Build the log of a client that is updated after every tenth token, and of its tokens."""
    return [
        recorded(position, begin + position * STEP, stream_event, OPERATOR if stream_event.stream_id == SHOP else CAUSE)
        for position, stream_event in enumerate(_old_events(tokens, begin, first_stream), start=1)
    ]


def stream(number: int) -> UUID:
    return UUID(int=number)


def _old_events(tokens: int, begin: datetime, first_stream: int) -> Iterator[StreamEvent]:
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
            expires_at=begin + number * STEP + (LIFETIME if fate == EXPIRES else EIGHTY_YEARS),
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
