"""Encodes events as canonical JSON and decodes them.

Canonical means UTF-8, sorted keys, no insignificant space, instants in UTC as RFC 3339, and bytes as base64. An event
has exactly one encoding, so payloads can be compared and hashed as bytes.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, get_args, get_type_hints

import msgspec

from ledger.domain.errors import CorruptPayload, UnknownTopic, UnsupportedSchemaVersion
from ledger.domain.events import EVENT_TYPES, Event
from ledger.domain.upcasting import UPCASTERS, Upcaster

_canonical = msgspec.json.Encoder(order="sorted")
_raw = msgspec.json.Decoder(dict[str, Any])


class Codec:
    """Encodes and decodes a closed set of event types. Other topics are refused."""

    def __init__(self, event_types: Iterable[type[Event]], upcasters: Mapping[tuple[str, int], Upcaster]) -> None:
        """Raises ValueError when two types share a topic or an old schema version has no upcaster."""
        self._types: dict[str, type[Event]] = {}
        for event_type in event_types:
            if event_type.TOPIC in self._types:
                msg = f"two event types share the topic {event_type.TOPIC!r}"
                raise ValueError(msg)
            self._types[event_type.TOPIC] = event_type
            for version in range(1, event_type.SCHEMA_VERSION):
                if (event_type.TOPIC, version) not in upcasters:
                    msg = f"no upcaster for {event_type.TOPIC!r} from schema version {version}"
                    raise ValueError(msg)
        self._upcasters = upcasters
        self._instants = {
            topic: [attrgetter(path) for path in _paths_of_instants(event_type)]
            for topic, event_type in self._types.items()
        }
        self._current = {
            (topic, event_type.SCHEMA_VERSION): msgspec.json.Decoder(event_type)
            for topic, event_type in self._types.items()
        }

    @property
    def topics(self) -> frozenset[str]:
        """All topics of this codec."""
        return frozenset(self._types)

    def encode(self, event: Event) -> bytes:
        """Encode the canonical payload of an event."""
        return _canonical.encode(event)

    def decode(self, topic: str, schema_version: int, payload: bytes) -> Event:
        """Decode the event of a row, upcast to the current schema version.

        Raises UnknownTopic, UnsupportedSchemaVersion or CorruptPayload.
        """
        decoder = self._current.get((topic, schema_version))
        try:
            if decoder is not None:
                return decoder.decode(payload)
            return self._decode_old(topic, schema_version, payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError) as error:
            msg = f"The payload of a {topic!r} event (schema version {schema_version}) cannot be read: {error}"
            raise CorruptPayload(msg) from error

    def is_canonical(self, topic: str, schema_version: int, payload: bytes) -> bool:
        """Whether the payload is the canonical encoding of its event. Raises as `decode` does.

        For an old schema version only the JSON is compared, because the type that encoded it no longer exists.
        """
        event = self.decode(topic, schema_version, payload)
        if (topic, schema_version) not in self._current:
            return _canonical.encode(_raw.decode(payload)) == payload
        # A decoded instant keeps its offset, so encoding it again would not reveal one that is not UTC.
        in_utc = all(at is None or at.tzinfo is UTC for at in (get(event) for get in self._instants[topic]))
        return in_utc and _canonical.encode(event) == payload

    def _decode_old(self, topic: str, schema_version: int, payload: bytes) -> Event:
        event_type = self._types.get(topic)
        if event_type is None:
            msg = f"The topic {topic!r} is not known to this version of the service."
            raise UnknownTopic(msg)
        if not 1 <= schema_version <= event_type.SCHEMA_VERSION:
            msg = (
                f"A {topic!r} event has schema version {schema_version}; this version of the service reads up to "
                f"{event_type.SCHEMA_VERSION}. Run the newer release that wrote it."
            )
            raise UnsupportedSchemaVersion(msg)
        fields = _raw.decode(payload)
        for version in range(schema_version, event_type.SCHEMA_VERSION):
            fields = self._upcasters[topic, version](fields)
        return msgspec.convert(fields, event_type)


def _paths_of_instants(struct: type[msgspec.Struct], prefix: str = "") -> Iterator[str]:
    for name, hint in get_type_hints(struct).items():
        if datetime in {hint, *get_args(hint)}:
            yield prefix + name
        elif isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            yield from _paths_of_instants(hint, f"{prefix}{name}.")


CODEC = Codec(EVENT_TYPES, UPCASTERS)
"""The codec of the service's own events."""
