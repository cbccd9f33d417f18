"""Events as they may leave the log: each type of event without the fields that are withheld.

A payload is decoded into such a type directly, so what is withheld is passed over and never is in memory.
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
"""Fields of events, at any depth, that never leave the log: what a stolen token or secret could be tested against."""


class EventLine(Struct, frozen=True):
    """`EventDocument`, made for speed: `data` is not turned into a dict on its way to JSON."""

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
    """The type without its withheld fields, at any depth; itself when it has none."""
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
"""What is shown of an event, by topic."""

_DECODERS = {(of.TOPIC, of.SCHEMA_VERSION): msgspec.json.Decoder(SHOWN_TYPES[of.TOPIC]) for of in EVENT_TYPES}

encode_lines = msgspec.json.Encoder().encode_lines
"""JSON, one a line, of many EventLines at once."""


def shown_data(row: RecordedEvent) -> Struct:
    """What is shown of a row's event. Raises StoredDataError when this release cannot read it."""
    decoder = _DECODERS.get((row.topic, row.schema_version))
    if decoder is not None:
        try:
            return decoder.decode(row.payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass  # the codec says what is wrong with it
    return _without_withheld(CODEC.decode(row.topic, row.schema_version, row.payload))


def event_line(row: RecordedEvent) -> EventLine:
    """A row of the log. Raises StoredDataError when this release cannot read it."""
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
    """Rows of the log as lines of JSON. Raises StoredDataError when this release cannot read one."""
    return encode_lines([event_line(row) for row in rows])


def _without_withheld(event: Event) -> Struct:
    return msgspec.convert(event, SHOWN_TYPES[event.TOPIC], from_attributes=True)
