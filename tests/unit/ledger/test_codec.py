"""The codec encodes events as canonical bytes, and decodes and upcasts them."""

import json
from datetime import UTC, datetime
from typing import ClassVar
from uuid import UUID

import pytest

from ledger.domain.codec import CODEC, Codec
from ledger.domain.errors import CorruptPayload, UnknownTopic, UnsupportedSchemaVersion
from ledger.domain.events import EVENT_TYPES, ClientEnabled, ClientSecretAdded, Event
from ledger.domain.upcasting import UPCASTERS
from tests.builders import DIGEST, stored_secret, token_issued, token_revoked


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


class TestCanonicalForm:
    def test_payload_is_canonical_json(self):
        assert (
            CODEC.encode(token_revoked(reason="lost — “really”\n"))
            == (
                '{"client_id":"shop","digest":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",'
                '"jti":"018f4c2a-1111-7222-8333-444455556666","reason":"lost — “really”\\n",'
                '"revoked_at":"2024-05-06T07:09:09Z"}'
            ).encode()
        )

    def test_nested_keys_are_sorted_and_absent_values_null(self):
        secret = (
            f'{{"created_at":"2024-05-06T07:08:09Z","expires_at":null,"hash":"{"0" * 64}","kind":"sha256",'
            '"secret_id":"s1"}'
        )

        payload = CODEC.encode(ClientSecretAdded(client_id="shop", secret=stored_secret()))

        assert payload == f'{{"client_id":"shop","secret":{secret}}}'.encode()

    @pytest.mark.parametrize(
        ("instant", "text"),
        [
            (datetime(2024, 1, 2, tzinfo=UTC), "2024-01-02T00:00:00Z"),
            (datetime(2024, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC), "2024-01-02T03:04:05.600000Z"),
            (datetime(2024, 1, 2, 3, 4, 5, 1, tzinfo=UTC), "2024-01-02T03:04:05.000001Z"),
        ],
    )
    def test_instants_are_rfc_3339_in_utc(self, instant, text):
        event = ClientEnabled(client_id="shop", enabled_at=instant)

        payload = CODEC.encode(event)

        assert json.loads(payload)["enabled_at"] == text
        assert CODEC.decode("client.enabled", 1, payload) == event

    def test_decoded_event_has_typed_values(self):
        event = CODEC.decode("token.issued", 1, CODEC.encode(token_issued()))

        assert event == token_issued()
        assert isinstance(event.jti, UUID)
        assert event.digest == DIGEST
        assert event.issued_at.tzinfo is UTC


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
            b"",
            b"{",
            b"null",
            b"[]",
            b"nonsense",
            b"\xff\xfe",
            b'{"client_id":"\xff","enabled_at":"2024-01-01T00:00:00Z"}',
            b'{"client_id":"\\ud800","enabled_at":"2024-01-01T00:00:00Z"}',
            b'{"client_id":"shop","enabled_at":"2024-01-01T00:00:00"}',
            b'{"client_id":"shop","enabled_at":"yesterday"}',
            b'{"client_id":"shop","enabled_at":1704067200}',
            b'{"client_id":7,"enabled_at":"2024-01-01T00:00:00Z"}',
            b'{"client_id":"shop","enabled_at":"2024-01-01T00:00:00Z"}trailing',
            b'{"x":' + b"[" * 100_000,
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
        [(1, b'{"kilos":2,"to":"Rua A, Lisboa"}', 2000), (2, b'{"grams":2,"to":"Rua A, Lisboa"}', 2)],
    )
    def test_old_version_is_upcast_to_the_current_one(self, parcels, version, payload, grams):
        assert parcels.decode("parcel.sent", version, payload) == ParcelSent(grams=grams, address=("Rua A", "Lisboa"))

    def test_current_version_is_not_upcast(self, parcels):
        event = ParcelSent(grams=2, address=("Rua A",))

        assert parcels.decode("parcel.sent", 3, parcels.encode(event)) == event

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

    def test_topics_never_change(self):
        # Stored with every event: a changed topic would orphan what is recorded.
        assert CODEC.topics == {
            "token.issued",
            "token.revoked",
            "client.registered",
            "client.updated",
            "client.secret_added",
            "client.secret_retired",
            "client.disabled",
            "client.enabled",
        }

    def test_every_old_schema_version_has_an_upcaster(self):
        versions = {(one.TOPIC, version) for one in EVENT_TYPES for version in range(1, one.SCHEMA_VERSION)}

        assert set(UPCASTERS) == versions


def test_no_event_has_a_field_for_a_token_or_secret():
    """Only digests and hashes are recorded; a field of another name must be argued for here."""
    fields = {name for one in EVENT_TYPES for name in one.__struct_fields__}

    assert not fields & {"token", "access_token", "client_secret", "password", "authorization"}
