"""Rows in the vocabulary of the eventsourcing library, both ways."""

from uuid import UUID

import pytest
from eventsourcing.domain import DomainEventProtocol, ImmutableAggregateProtocol
from eventsourcing.persistence import IntegrityError, Mapper, Notification, StoredEvent

from ledger.domain.client import fold_client, register
from ledger.domain.codec import CODEC
from ledger.domain.errors import CorruptPayload, UnknownTopic, UnsupportedSchemaVersion
from ledger.domain.grant import fold_grant
from ledger.domain.identifiers import client_stream_id
from ledger.domain.recording import EventMapper, EventToStore, RecordedEvent, StreamEvent, VersionConflict, stream_id
from tests.builders import CAUSE, JTI, NOW, row, settings, stream_of, token_issued, token_revoked

MAPPER = EventMapper()


def members_of(protocol: type) -> list[str]:
    return [name for name, member in vars(protocol).items() if isinstance(member, property)]


class TestToARow:
    def test_holds_the_place_the_topic_and_the_canonical_payload(self):
        stored = MAPPER.to_stored_event(StreamEvent(JTI, 1, token_issued()))

        assert (stored.originator_id, stored.originator_version) == (JTI, 1)
        assert (stored.topic, stored.schema_version) == ("token.issued", 1)
        assert stored.state == CODEC.encode(token_issued())

    def test_holds_who_asked_and_from_where(self):
        stored = MAPPER.to_stored_event(StreamEvent(JTI, 1, token_issued()), CAUSE)

        assert (stored.actor, stored.request_id, stored.remote_address) == ("client:shop", "req-1", "192.0.2.7")

    def test_without_a_cause_nobody_is_named(self):
        stored = MAPPER.to_stored_event(StreamEvent(JTI, 1, token_issued()))

        assert (stored.actor, stored.request_id, stored.remote_address) == (None, None, None)

    def test_refuses_what_is_not_at_a_place_in_a_stream(self):
        with pytest.raises(TypeError, match="only a StreamEvent can be recorded, got TokenIssued"):
            MAPPER.to_stored_event(token_issued())


class TestFromARow:
    @pytest.mark.parametrize("event", [token_issued(), token_revoked()], ids=lambda event: event.TOPIC)
    def test_gives_back_what_was_recorded(self, event):
        recorded = StreamEvent(JTI, 7, event)

        assert MAPPER.to_domain_event(MAPPER.to_stored_event(recorded, CAUSE)) == recorded

    def test_reads_a_recorded_row_by_its_own_schema_version(self):
        of_the_future = RecordedEvent(
            originator_id=JTI,
            originator_version=1,
            topic="token.issued",
            state=b"{}",
            id=1,
            schema_version=9,
            recorded_at=NOW,
            actor=None,
            request_id=None,
            remote_address=None,
        )

        with pytest.raises(UnsupportedSchemaVersion, match="schema version 9"):
            MAPPER.to_domain_event(of_the_future)

    def test_reads_a_plain_row_of_the_library_as_schema_version_1(self):
        plain = StoredEvent(JTI, 1, "token.issued", CODEC.encode(token_issued()))

        assert MAPPER.to_domain_event(plain).event == token_issued()

    def test_refuses_an_unknown_topic(self):
        with pytest.raises(UnknownTopic):
            MAPPER.to_domain_event(row(topic="thing.happened"))

    def test_refuses_a_corrupt_payload(self):
        with pytest.raises(CorruptPayload):
            MAPPER.to_domain_event(row(topic="token.issued", state=b"{"))


class TestStreamIds:
    def test_the_id_of_a_row_is_a_uuid(self):
        assert stream_id(row(stream=JTI)) == JTI

    def test_the_text_of_a_uuid_is_one(self):
        assert stream_id(EventToStore(str(JTI), 1, "t", b"")) == JTI

    def test_any_other_text_is_refused(self):
        with pytest.raises(ValueError, match="badly formed"):
            stream_id(EventToStore("grant-1", 1, "t", b""))


class TestTheLibrarysVocabulary:
    def test_a_stream_event_is_a_domain_event(self):
        assert isinstance(StreamEvent(JTI, 1, token_issued()), DomainEventProtocol)

    @pytest.mark.parametrize(
        "aggregate",
        [
            fold_grant(stream_of(JTI, token_issued())),
            fold_client(stream_of(client_stream_id("shop"), register("shop", settings(), now=NOW))),
        ],
        ids=["grant", "client"],
    )
    def test_what_a_stream_folds_to_is_an_immutable_aggregate(self, aggregate):
        assert members_of(ImmutableAggregateProtocol) == ["id", "version"]
        assert isinstance(aggregate.id, UUID)
        assert aggregate.version == 1
        with pytest.raises(AttributeError):
            aggregate.version = 2

    def test_rows_the_mapper_and_the_conflict_are_the_librarys_kinds(self):
        assert issubclass(EventToStore, StoredEvent)
        assert issubclass(RecordedEvent, Notification)
        assert issubclass(VersionConflict, IntegrityError)
        assert isinstance(MAPPER, Mapper)
