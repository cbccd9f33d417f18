"""Events without their withheld fields.

Payloads are decoded directly into types that lack those fields, so withheld values never enter memory.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, get_type_hints

import msgspec
from msgspec import Struct, defstruct
from msgspec.structs import fields

from ledger.domain.codec import CODEC
from ledger.domain.events import EVENT_TYPES, Event
from ledger.domain.recording import RecordedEvent

WITHHELD = ("digest", "hash")
"""Event fields, at any depth, that are never shown: a stolen token or secret could be tested against them."""


class EventLine(Struct, frozen=True):
    """A faster `EventDocument`: `data` is encoded to JSON without becoming a dict first."""

    position: int
    recorded_at: Any
    type: str
    schema_version: int
    stream_id: Any
    stream_version: int
    actor: str | None
    request_id: str | None
    remote_address: str | None
    data: Struct


@cache
def shown_type(of: type[Struct]) -> type[Struct]:
    """Derive the type without withheld fields, at any depth; the type itself if it has none."""
    hints = get_type_hints(of, include_extras=True)
    kinds = {field.name: _shown_kind(hints[field.name]) for field in fields(of) if field.name not in WITHHELD}
    if kinds == {field.name: hints[field.name] for field in fields(of)}:
        return of
    defaults = {field.name: (field.default,) for field in fields(of) if not field.required}
    kept: list[Any] = [(name, kind, *defaults.get(name, ())) for name, kind in kinds.items()]
    return defstruct(of.__name__, kept, frozen=True, kw_only=True, namespace={"__doc__": of.__doc__})


def _shown_kind(kind: Any) -> Any:
    return shown_type(kind) if isinstance(kind, type) and issubclass(kind, Struct) else kind


SHOWN_TYPES = {of.TOPIC: shown_type(of) for of in EVENT_TYPES}
"""The shown type of each event, by topic."""

_DECODERS = {(of.TOPIC, of.SCHEMA_VERSION): msgspec.json.Decoder(SHOWN_TYPES[of.TOPIC]) for of in EVENT_TYPES}

encode_lines = msgspec.json.Encoder().encode_lines
"""Encode many EventLines as NDJSON."""


def shown_data(row: RecordedEvent) -> Struct:
    """Decode the shown part of an event. Raises StoredDataError if this release cannot read it."""
    decoder = _DECODERS.get((row.topic, row.schema_version))
    if decoder is not None:
        try:
            return decoder.decode(row.payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass  # the codec raises the precise error
    return _without_withheld(CODEC.decode(row.topic, row.schema_version, row.payload))


def event_line(row: RecordedEvent) -> EventLine:
    """Build the line of an event. Raises StoredDataError if this release cannot read it."""
    return EventLine(
        row.position,
        row.recorded_at,
        row.topic,
        row.schema_version,
        row.stream_id,
        row.stream_version,
        row.actor,
        row.request_id,
        row.remote_address,
        shown_data(row),
    )


def event_lines(rows: Sequence[RecordedEvent]) -> bytes:
    """Encode events as NDJSON. Raises StoredDataError if this release cannot read one."""
    return encode_lines([event_line(row) for row in rows])


def _without_withheld(event: Event) -> Struct:
    return msgspec.convert(event, SHOWN_TYPES[event.TOPIC], from_attributes=True)
