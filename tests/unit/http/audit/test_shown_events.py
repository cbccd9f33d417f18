"""The shown part of every stored event."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from api.http.audit import shown_events
from api.http.audit.documents import event_document, event_line
from api.http.audit.shown_events import SHOWN_TYPES, WITHHELD, shown_data
from ledger.domain.codec import CODEC
from ledger.domain.errors import CorruptPayload, UnknownTopic, UnsupportedSchemaVersion
from ledger.domain.events import ClientUpdated, TokenIssued
from ledger.domain.recording import RecordedEvent

GOLDEN = sorted((Path(__file__).parents[3] / "golden/events").glob("*.json"))


def stored(topic, schema_version, payload):
    return RecordedEvent(
        stream_id=UUID(int=7),
        stream_version=1,
        topic=topic,
        payload=payload,
        position=3,
        schema_version=schema_version,
        recorded_at=datetime(2026, 3, 1, tzinfo=UTC),
        actor="client:app",
        request_id=None,
        remote_address="192.0.2.7",
    )


def golden(file):
    topic, _, version = file.stem.rpartition(".v")
    return stored(topic, int(version), file.read_bytes().strip())


def without_withheld(value):
    if isinstance(value, dict):
        return {name: without_withheld(entry) for name, entry in value.items() if name not in WITHHELD}
    return value


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
class TestEveryStoredEvent:
    def test_is_shown_without_withheld_fields(self, file):
        row = golden(file)
        event = CODEC.decode(row.topic, row.schema_version, row.payload)
        assert msgspec.to_builtins(shown_data(row)) == without_withheld(msgspec.to_builtins(event))

    def test_is_equal_in_exports_and_pages(self, file):
        row = golden(file)
        assert json.loads(msgspec.json.encode(event_line(row))) == json.loads(msgspec.json.encode(event_document(row)))

    def test_is_shown_when_upcast_from_an_old_version(self, file, monkeypatch):
        row = golden(file)
        quickly = shown_data(row)
        monkeypatch.setattr(shown_events, "_DECODERS", {})
        assert shown_data(row) == quickly


def test_shown_type_is_the_type_when_nothing_is_withheld():
    assert SHOWN_TYPES[ClientUpdated.TOPIC] is ClientUpdated
    assert SHOWN_TYPES[TokenIssued.TOPIC] is not TokenIssued


@pytest.mark.parametrize(
    ("row", "error"),
    [
        (stored("token.issued", 1, b"{}"), CorruptPayload),
        (stored("token.issued", 1, b"\xff"), CorruptPayload),
        (stored("token.issued", 99, b"{}"), UnsupportedSchemaVersion),
        (stored("token.lost", 1, b"{}"), UnknownTopic),
    ],
)
def test_shown_data_raises_the_error_of_the_codec_when_unreadable(row, error):
    with pytest.raises(error):
        shown_data(row)
