"""The golden corpus: every schema version of every event ever stored stays readable.

Each file holds the exact bytes of a payload. When an event changes, its old file stays as it is, its upcaster must
convert it to the event expected here, and a file for the new version is added.
"""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from ledger.domain.codec import CODEC
from ledger.domain.events import (
    EVENT_TYPES,
    ClientDisabled,
    ClientEnabled,
    ClientRegistered,
    ClientSecretAdded,
    ClientSecretRetired,
    ClientSettings,
    ClientUpdated,
    Event,
    StoredSecret,
    TokenIssued,
    TokenRevoked,
)

EVENTS = Path(__file__).parent / "events"

DIGEST = bytes.fromhex("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
JTI = UUID("0187d5f1-3e28-7a3b-9c0d-8b7a24e84ccb")
AT = datetime(2023, 5, 1, 7, 26, 41, tzinfo=UTC)
WITH_MICROSECONDS = datetime(2023, 5, 1, 8, 0, 0, 120_000, tzinfo=UTC)

EXPECTED: dict[tuple[str, int], Event] = {
    ("token.issued", 1): TokenIssued(
        jti=JTI,
        digest=DIGEST,
        client_id="user-client-opaque",
        subject="user-client-opaque",
        scope=("customer.read", "customer.write", "country.read"),
        audience=("https://api.example", "orders"),
        grant_type="client_credentials",
        token_format="opaque",
        issued_at=AT,
        expires_at=datetime(2023, 5, 1, 11, 26, 41, tzinfo=UTC),
    ),
    ("token.revoked", 1): TokenRevoked(
        jti=JTI,
        digest=DIGEST,
        client_id="user-client-opaque",
        revoked_at=WITH_MICROSECONDS,
        reason='lost at "Café Central" — see ticket\n',
    ),
    ("client.registered", 1): ClientRegistered(
        client_id="user-client-opaque",
        settings=ClientSettings(
            name="Loja Açaí",
            grant_types=("client_credentials",),
            scopes=("country.read", "customer.read", "customer.write"),
            default_scopes=("country.read",),
            audience=("https://api.example", "orders"),
            token_format="opaque",
            access_token_lifetime=14_400,
            introspection="audience",
            demo=True,
        ),
        registered_at=AT,
    ),
    ("client.updated", 1): ClientUpdated(
        client_id="service-client-jwt",
        settings=ClientSettings(name="Resource server", access_token_lifetime=60, introspection="issuer"),
        updated_at=WITH_MICROSECONDS,
    ),
    ("client.secret_added", 1): ClientSecretAdded(
        client_id="user-client-opaque",
        secret=StoredSecret(
            secret_id="5f0c1a2b",
            kind="sha256",
            hash="2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
            created_at=AT,
            expires_at=datetime(2024, 5, 1, 0, 0, tzinfo=UTC),
        ),
    ),
    ("client.secret_retired", 1): ClientSecretRetired(
        client_id="user-client-opaque", secret_id="5f0c1a2b", expires_at=WITH_MICROSECONDS
    ),
    ("client.disabled", 1): ClientDisabled(client_id="user-client-opaque", disabled_at=AT, reason="compromised"),
    ("client.enabled", 1): ClientEnabled(client_id="user-client-opaque", enabled_at=WITH_MICROSECONDS),
}
"""The event that each file decodes to, in its current schema version."""


def payload_of(topic: str, schema_version: int) -> bytes:
    return (EVENTS / f"{topic}.v{schema_version}.json").read_bytes()


CURRENT = [(event_type.TOPIC, event_type.SCHEMA_VERSION) for event_type in EVENT_TYPES]


def test_every_schema_version_of_every_event_has_a_file():
    versions = {(one.TOPIC, version) for one in EVENT_TYPES for version in range(1, one.SCHEMA_VERSION + 1)}

    assert set(EXPECTED) == versions
    assert {path.name for path in EVENTS.iterdir()} == {f"{topic}.v{version}.json" for topic, version in versions}


@pytest.mark.parametrize(("topic", "schema_version"), EXPECTED)
def test_every_file_decodes_to_its_event(topic, schema_version):
    assert CODEC.decode(topic, schema_version, payload_of(topic, schema_version)) == EXPECTED[topic, schema_version]


@pytest.mark.parametrize(("topic", "schema_version"), CURRENT)
def test_current_version_encodes_to_the_bytes_of_its_file(topic, schema_version):
    assert CODEC.encode(EXPECTED[topic, schema_version]) == payload_of(topic, schema_version)
