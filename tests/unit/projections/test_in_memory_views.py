"""The inline views in memory: what they fold, and what they leave alone."""

import pytest
from msgspec.structs import replace

from ledger.domain.client import register
from ledger.domain.clock import to_epoch_seconds
from ledger.domain.codec import CODEC
from ledger.domain.errors import UnknownTopic
from ledger.domain.events import ClientDisabled
from ledger.domain.identifiers import client_stream_id
from ledger.domain.recording import EventMapper, RecordedEvent
from ledger.use_cases.ports import ActiveToken
from projections.memory.views import MemoryActiveTokens, MemoryClients
from tests.builders import DIGEST, JTI, NOW, settings, token_issued, token_revoked

SHOP = client_stream_id("shop")


def recorded(*events):
    """The rows of these events at positions 1, 2, 3 …, each stream at its versions."""
    rows, versions = [], {}
    for position, event in enumerate(events, start=1):
        stream = JTI if event.TOPIC.startswith("token.") else client_stream_id(event.client_id)
        versions[stream] = versions.get(stream, 0) + 1
        rows.append(
            RecordedEvent(
                stream_id=stream,
                stream_version=versions[stream],
                topic=event.TOPIC,
                payload=CODEC.encode(event),
                position=position,
                schema_version=1,
                recorded_at=NOW,
                actor=None,
                request_id=None,
                remote_address=None,
            )
        )
    return rows


@pytest.fixture
def tokens():
    return MemoryActiveTokens(EventMapper())


@pytest.fixture
def clients():
    return MemoryClients(EventMapper())


class TestActiveTokens:
    async def test_an_issued_token_is_what_introspection_answers(self, tokens):
        tokens.fold(recorded(token_issued(scope=("read", "write"), audience=("api", "shop"))))

        assert await tokens.get(DIGEST) == ActiveToken(
            jti=JTI,
            client_id="shop",
            subject="shop",
            scope="read write",
            audience=("api", "shop"),
            issued_at=to_epoch_seconds(NOW),
            expires_at=to_epoch_seconds(NOW) + 3600,
        )

    async def test_a_revoked_token_is_gone(self, tokens):
        tokens.fold(recorded(token_issued()))
        tokens.fold(recorded(token_revoked()))

        assert await tokens.get(DIGEST) is None

    async def test_a_token_issued_and_revoked_in_one_batch_was_never_there(self, tokens):
        tokens.fold(recorded(token_issued(), token_revoked()))

        assert await tokens.get(DIGEST) is None

    async def test_others_are_left_alone(self, tokens):
        other = bytes(32)
        tokens.fold(recorded(token_issued(), token_issued(digest=other)))
        tokens.fold(recorded(token_revoked()))

        assert await tokens.get(other) is not None

    async def test_events_of_clients_are_skipped(self, tokens):
        tokens.fold(recorded(register("shop", settings(), now=NOW), token_issued()))

        assert await tokens.get(DIGEST) is not None

    async def test_a_token_that_was_never_issued_is_not_there(self, tokens):
        assert await tokens.get(DIGEST) is None

    def test_a_row_that_cannot_be_read_is_not_skipped(self, tokens):
        row = replace(recorded(token_issued())[0], topic="token.invented")

        with pytest.raises(UnknownTopic):
            tokens.fold([row])


class TestClients:
    async def test_a_client_is_as_its_events_fold(self, clients):
        clients.fold(recorded(register("shop", settings(), now=NOW)))
        (_, disabled) = recorded(
            register("shop", settings(), now=NOW), ClientDisabled(client_id="shop", disabled_at=NOW, reason="")
        )
        clients.fold([disabled])

        shop = await clients.get("shop")
        assert (shop.id, shop.version, shop.enabled) == (SHOP, 2, False)

    async def test_all_are_given_by_id(self, clients):
        clients.fold(recorded(*(register(name, settings(), now=NOW) for name in ("shop", "Depot", "api"))))

        assert [client.client_id for client in await clients.all()] == ["Depot", "api", "shop"]

    async def test_events_of_tokens_are_skipped(self, clients):
        clients.fold(recorded(token_issued(), token_revoked()))

        assert await clients.all() == []

    async def test_a_client_that_was_never_registered_is_not_there(self, clients):
        assert await clients.get("shop") is None


def test_whole_seconds_are_rounded_down():
    assert to_epoch_seconds(NOW.replace(microsecond=999_999)) == to_epoch_seconds(NOW)
    assert isinstance(to_epoch_seconds(NOW), int)
