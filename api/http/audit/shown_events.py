"""Events without their withheld fields.

Payloads are decoded directly into types that lack those fields, so withheld values never enter memory.
"""

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


def shown_data(row: RecordedEvent) -> Struct:
    """Decode the shown part of an event. Raises StoredDataError if this release cannot read it."""
    decoder = _DECODERS.get((row.topic, row.schema_version))
    if decoder is not None:
        try:
            return decoder.decode(row.payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass  # the codec raises the precise error
    return _without_withheld(CODEC.decode(row.topic, row.schema_version, row.payload))


def _without_withheld(event: Event) -> Struct:
    return msgspec.convert(event, SHOWN_TYPES[event.TOPIC], from_attributes=True)
