"""Any event decodes to itself and has exactly one encoding."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain.codec import CODEC
from ledger.domain.errors import StoredDataError
from ledger.domain.events import EVENT_TYPES, ClientSettings, Instant, StoredSecret

instants = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


def structs_of(struct_type):
    return st.builds(struct_type, **{name: strategy_of(hint) for name, hint in hints_of(struct_type).items()})


def hints_of(struct_type):
    return {field: struct_type.__annotations__[field] for field in struct_type.__struct_fields__}


def strategy_of(hint):
    if hint == Instant:
        return instants
    if hint == Instant | None:
        return st.none() | instants
    if hint in {StoredSecret, ClientSettings}:
        return structs_of(hint)
    return st.from_type(hint)


events = st.one_of([structs_of(event_type) for event_type in EVENT_TYPES])


@given(events)
def test_decode_returns_the_event_that_was_encoded(event):
    assert CODEC.decode(event.TOPIC, event.SCHEMA_VERSION, CODEC.encode(event)) == event


@given(events)
def test_encoding_is_canonical_json(event):
    payload = CODEC.encode(event).decode("utf-8")

    assert json.dumps(json.loads(payload), sort_keys=True, separators=(",", ":"), ensure_ascii=False) == payload


@given(events)
def test_encode_returns_the_bytes_that_were_decoded(event):
    payload = CODEC.encode(event)

    assert CODEC.encode(CODEC.decode(event.TOPIC, event.SCHEMA_VERSION, payload)) == payload


@given(events, events)
def test_events_share_an_encoding_only_when_equal(one, other):
    same_bytes = (one.TOPIC, CODEC.encode(one)) == (other.TOPIC, CODEC.encode(other))

    assert same_bytes is (one == other)


@given(st.sampled_from(EVENT_TYPES), st.integers(0, 3), st.binary(max_size=200))
def test_decode_refuses_bytes_that_are_no_event(event_type, schema_version, payload):
    with pytest.raises(StoredDataError):
        CODEC.decode(event_type.TOPIC, schema_version, payload)
