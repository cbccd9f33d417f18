"""Rows of the log: encoding events and decoding them."""

import pytest
from msgspec.structs import replace

from ledger.domain.codec import CODEC
from ledger.domain.errors import CorruptPayload, UnknownTopic, UnsupportedSchemaVersion
from ledger.domain.recording import EventMapper, StreamEvent
from tests.builders import CAUSE, JTI, row, token_issued, token_revoked

MAPPER = EventMapper()
ISSUED = StreamEvent(JTI, 1, token_issued())


@pytest.mark.parametrize(
    ("cause", "recorded"), [((CAUSE,), ("client:shop", "req-1", "192.0.2.7")), ((), (None, None, None))]
)
def test_row_has_place_canonical_payload_and_cause(cause, recorded):
    stored = MAPPER.encode(ISSUED, *cause)

    assert (stored.stream_id, stored.stream_version) == (JTI, 1)
    assert (stored.topic, stored.schema_version) == ("token.issued", 1)
    assert stored.payload == CODEC.encode(token_issued())
    assert (stored.actor, stored.request_id, stored.remote_address) == recorded


@pytest.mark.parametrize("event", [token_issued(), token_revoked()], ids=lambda event: event.TOPIC)
def test_decoded_event_is_the_encoded_one(event):
    recorded = StreamEvent(JTI, 7, event)

    assert MAPPER.decode(MAPPER.encode(recorded, CAUSE)) == recorded


@pytest.mark.parametrize(
    ("stored", "error"),
    [
        (replace(MAPPER.encode(ISSUED), schema_version=9), UnsupportedSchemaVersion),
        (row(topic="thing.happened"), UnknownTopic),
        (row(topic="token.issued", payload=b"{"), CorruptPayload),
    ],
)
def test_row_is_refused_when_its_event_cannot_be_read(stored, error):
    with pytest.raises(error):
        MAPPER.decode(stored)
