"""The codec encodes events as canonical bytes, and decodes and upcasts them."""

import json
from typing import ClassVar

import pytest

from ledger.domain.codec import CODEC, Codec
from ledger.domain.errors import CorruptPayload, UnknownTopic, UnsupportedSchemaVersion
from ledger.domain.events import EVENT_TYPES, ClientEnabled, Event
from tests.builders import token_issued


class ParcelSent(Event, frozen=True, kw_only=True):
    """Schema version 3: v1 had `kilos` and `to`, v2 had `grams` and `to`, v3 has `grams` and `address`."""

    TOPIC: ClassVar[str] = "parcel.sent"
    SCHEMA_VERSION: ClassVar[int] = 3

    grams: int
    address: tuple[str, ...]


def kilos_to_grams(payload):
    return {"grams": payload["kilos"] * 1000, "to": payload["to"]}


def one_line_to_address(payload):
    return {"grams": payload["grams"], "address": payload["to"].split(", ")}


PARCEL_UPCASTERS = {("parcel.sent", 1): kilos_to_grams, ("parcel.sent", 2): one_line_to_address}


@pytest.fixture
def parcels():
    return Codec([ParcelSent], PARCEL_UPCASTERS)


class TestUnreadable:
    @pytest.mark.parametrize(
        "topic", ["token.invented", "", "os.system", "ledger.domain.events:TokenIssued", "TOKEN.ISSUED"]
    )
    def test_topic_is_refused_and_not_imported_when_unknown(self, topic):
        with pytest.raises(UnknownTopic, match=f"{topic!r} is not known"):
            CODEC.decode(topic, 1, b"{}")

    @pytest.mark.parametrize(
        ("version", "message"),
        [
            (2, r"schema version 2; .* reads up to 1\. Run the newer release"),
            (0, "schema version 0"),
            (-1, "schema version -1"),
        ],
    )
    def test_schema_version_is_refused_when_newer_or_never_used(self, version, message):
        with pytest.raises(UnsupportedSchemaVersion, match=message):
            CODEC.decode("token.issued", version, CODEC.encode(token_issued()))

    @pytest.mark.parametrize(
        "payload",
        [
            *(b"", b"{", b"null", b"[]", b"nonsense", b"\xff\xfe", b'{"x":' + b"[" * 100_000),
            *(
                b'{"client_id":%b,"enabled_at":"2024-01-01T00:00:00Z"}' % value
                for value in (b'"\xff"', b'"\\ud800"', b"7")
            ),
            *(
                b'{"client_id":"shop","enabled_at":%b' % rest
                for rest in (b'"2024-01-01T00:00:00"}', b'"yesterday"}', b"1704067200}", b'"2024-01-01T00:00:00Z"}more')
            ),
        ],
        ids=lambda payload: repr(payload[:50]),
    )
    def test_payload_is_refused_when_corrupt(self, payload):
        with pytest.raises(CorruptPayload, match=r"^The payload of a 'client.enabled' event \(schema version 1\)"):
            CODEC.decode("client.enabled", 1, payload)

    @pytest.mark.parametrize("field", sorted(token_issued().__struct_fields__))
    def test_payload_is_refused_when_a_field_is_missing(self, field):
        document = json.loads(CODEC.encode(token_issued()))
        del document[field]

        with pytest.raises(CorruptPayload, match=field):
            CODEC.decode("token.issued", 1, json.dumps(document).encode())

    def test_payload_is_refused_when_it_has_an_unknown_setting(self):
        payload = (
            b'{"client_id":"shop","registered_at":"2024-01-01T00:00:00Z","settings":{"name":"Shop","superuser":true}}'
        )

        with pytest.raises(CorruptPayload, match="superuser"):
            CODEC.decode("client.registered", 1, payload)

    def test_error_shows_nothing_of_the_payload(self):
        payload = b'{"client_id":"the-hash-of-something","enabled_at":"the-hash-of-something"}'

        with pytest.raises(CorruptPayload) as refused:
            CODEC.decode("client.enabled", 1, payload)

        assert "the-hash-of-something" not in str(refused.value)


class TestUpcasting:
    @pytest.mark.parametrize(
        ("version", "payload", "grams"),
        [
            (1, b'{"kilos":2,"to":"Rua A, Lisboa"}', 2000),
            (2, b'{"grams":2,"to":"Rua A, Lisboa"}', 2),
            (3, b'{"address":["Rua A","Lisboa"],"grams":2}', 2),
        ],
    )
    def test_only_old_versions_are_upcast_to_the_current_one(self, parcels, version, payload, grams):
        assert parcels.decode("parcel.sent", version, payload) == ParcelSent(grams=grams, address=("Rua A", "Lisboa"))

    def test_version_4_is_refused(self, parcels):
        with pytest.raises(UnsupportedSchemaVersion, match="reads up to 3"):
            parcels.decode("parcel.sent", 4, b"{}")

    @pytest.mark.parametrize(("version", "payload"), [(1, b'{"to":"Rua A"}'), (2, b'{"grams":"two","to":"Rua A"}')])
    def test_old_payload_is_corrupt_when_it_cannot_be_upcast(self, parcels, version, payload):
        with pytest.raises(CorruptPayload, match="kilos" if version == 1 else "int"):
            parcels.decode("parcel.sent", version, payload)

    def test_old_payload_is_canonical_when_its_json_is(self, parcels):
        assert parcels.is_canonical("parcel.sent", 1, b'{"kilos":2,"to":"Home"}')
        assert not parcels.is_canonical("parcel.sent", 1, b'{"to":"Home","kilos":2}')
        assert not parcels.is_canonical("parcel.sent", 1, b'{"kilos":2, "to":"Home"}')
        with pytest.raises(CorruptPayload):
            parcels.is_canonical("parcel.sent", 1, b'{"kilos":2}')

    @pytest.mark.parametrize("missing", [1, 2])
    def test_codec_is_refused_when_an_upcaster_is_missing(self, missing):
        chain = {key: lift for key, lift in PARCEL_UPCASTERS.items() if key != ("parcel.sent", missing)}

        with pytest.raises(ValueError, match=f"no upcaster for 'parcel.sent' from schema version {missing}"):
            Codec([ParcelSent], chain)


class TestEventTypes:
    def test_codec_is_refused_when_two_types_share_a_topic(self):
        class AnotherEnabled(Event, frozen=True, kw_only=True):
            TOPIC: ClassVar[str] = "client.enabled"

        with pytest.raises(ValueError, match=r"two event types share the topic 'client\.enabled'"):
            Codec([ClientEnabled, AnotherEnabled], {})

    def test_codec_knows_every_event_type(self):
        defined = {one for one in Event.__subclasses__() if one.__module__ == "ledger.domain.events"}

        assert set(EVENT_TYPES) == defined
        assert CODEC.topics == {one.TOPIC for one in defined}


def test_no_event_has_a_field_for_a_token_or_secret():
    """Only digests and hashes are recorded; a field of another name must be argued for here."""
    fields = {name for one in EVENT_TYPES for name in one.__struct_fields__}

    assert not fields & {"token", "access_token", "client_secret", "password", "authorization"}
