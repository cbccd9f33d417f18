"""Rows of the log: encoding events and decoding them."""

import pytest
from msgspec.structs import replace

from ledger.domain.codec import CODEC
from ledger.domain.errors import CorruptPayload, UnknownTopic, UnsupportedSchemaVersion
from ledger.domain.recording import EventMapper, StreamEvent
from tests.builders import CAUSE, JTI, row, token_issued, token_revoked

MAPPER = EventMapper()


class TestEncode:
    def test_row_has_place_topic_and_canonical_payload(self):
        stored = MAPPER.encode(StreamEvent(JTI, 1, token_issued()))

        assert (stored.stream_id, stored.stream_version) == (JTI, 1)
        assert (stored.topic, stored.schema_version) == ("token.issued", 1)
        assert stored.payload == CODEC.encode(token_issued())

    def test_row_has_the_cause(self):
        stored = MAPPER.encode(StreamEvent(JTI, 1, token_issued()), CAUSE)

        assert (stored.actor, stored.request_id, stored.remote_address) == ("client:shop", "req-1", "192.0.2.7")

    def test_row_names_no_actor_without_a_cause(self):
        stored = MAPPER.encode(StreamEvent(JTI, 1, token_issued()))

        assert (stored.actor, stored.request_id, stored.remote_address) == (None, None, None)


class TestDecode:
    @pytest.mark.parametrize("event", [token_issued(), token_revoked()], ids=lambda event: event.TOPIC)
    def test_returns_what_was_encoded(self, event):
        recorded = StreamEvent(JTI, 7, event)

        assert MAPPER.decode(MAPPER.encode(recorded, CAUSE)) == recorded

    def test_refuses_a_schema_version_of_a_later_release(self):
        later = replace(MAPPER.encode(StreamEvent(JTI, 1, token_issued())), schema_version=9)

        with pytest.raises(UnsupportedSchemaVersion, match="schema version 9"):
            MAPPER.decode(later)

    def test_refuses_an_unknown_topic(self):
        with pytest.raises(UnknownTopic):
            MAPPER.decode(row(topic="thing.happened"))

    def test_refuses_a_corrupt_payload(self):
        with pytest.raises(CorruptPayload):
            MAPPER.decode(row(topic="token.issued", payload=b"{"))
