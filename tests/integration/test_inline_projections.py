"""The inline projections are written with the events, or not at all."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest

from ledger.batching.group_commit import GroupCommit
from ledger.domain.client import fold_client
from ledger.domain.events import ClientDisabled, ClientRegistered, ClientSecretAdded
from ledger.domain.identifiers import client_stream_id
from ledger.domain.recording import EventMapper, NewEvent, StreamEvent, Write
from ledger.postgres.database import Database
from ledger.postgres.event_log import PostgresEventLog
from ledger.postgres.logs import Log
from projections.catalogue import inline_versions
from projections.lookups import LookUps, PostgresActiveTokens, PostgresClients
from tests.appending import append_events
from tests.builders import NOW, settings, stored_secret, stream_of, token_issued, token_revoked
from tests.integration.conftest import CAUSE, register_client


@pytest.fixture
async def log(database):
    connections = Database(database.service_dsn)
    yield Log(connections, "inline")
    await connections.close()


async def test_event_that_cannot_be_folded_fails_alone_and_is_not_recorded(log):
    event_log = PostgresEventLog(log, inline_versions())
    group = GroupCommit(event_log)
    writes = [
        Write([NewEvent(stream_id=uuid4(), stream_version=1, topic=topic, payload=b"{}")])
        for topic in ("a", "client.registered", "b")
    ]
    a, poison, b = await asyncio.gather(*map(group.write, writes), return_exceptions=True)
    assert isinstance(poison, asyncpg.DataError)
    assert (list(a.positions), list(b.positions)) == ([1], [2])
    assert [e.topic for e in await event_log.read(0, 10)] == ["a", "b"]


async def test_token_is_not_active_when_issued_and_revoked_in_one_batch(log):
    mapper = EventMapper()
    event_log = PostgresEventLog(log, inline_versions())
    issued = token_issued()
    revoked = token_revoked()
    rows = [mapper.encode(StreamEvent(issued.jti, n, e)) for n, e in ((1, issued), (2, revoked))]
    await event_log.append([Write([row]) for row in rows])
    assert await PostgresActiveTokens(LookUps(log)).get(issued.digest) is None
    assert (await event_log.head()).position == 2


@pytest.mark.parametrize("many", [0, 600])
async def test_digest_is_refused_when_issued_again_in_any_batch(log, many):
    """By the key, also where rows are copied in."""
    mapper = EventMapper()
    event_log = PostgresEventLog(log, inline_versions())

    def write(digest: bytes) -> Write:
        event = token_issued(jti=uuid4(), digest=digest)
        return Write([mapper.encode(StreamEvent(event.jti, 1, event))])

    others = [write(number.to_bytes(32, "big")) for number in range(many)]
    again = b"\xff" * 32
    with pytest.raises(asyncpg.UniqueViolationError):
        await event_log.append([write(again), *others, write(again)])
    assert (await event_log.head()).position == 0
    await event_log.append([write(again)])
    with pytest.raises(asyncpg.UniqueViolationError):
        await event_log.append([write(again)])


async def test_digest_is_refused_when_issued_twice_and_revoked_in_a_batch(log):
    mapper = EventMapper()
    event_log = PostgresEventLog(log, inline_versions())
    first, second = token_issued(), token_issued(jti=uuid4())
    revoked = token_revoked()
    rows = [StreamEvent(first.jti, 1, first), StreamEvent(second.jti, 1, second), StreamEvent(first.jti, 2, revoked)]
    with pytest.raises(asyncpg.UniqueViolationError):
        await event_log.append([Write([mapper.encode(row)]) for row in rows])


async def test_row_has_what_introspection_returns(log):
    mapper = EventMapper()
    event_log = PostgresEventLog(log, inline_versions())
    issued = token_issued(scope=("a", "b"), audience=("x", "y"))
    await append_events(event_log, [mapper.encode(StreamEvent(issued.jti, 1, issued))])
    found = await PostgresActiveTokens(LookUps(log)).get(issued.digest)
    assert found is not None
    assert (found.jti, found.client_id, found.subject) == (issued.jti, issued.client_id, issued.subject)
    assert (found.scope, found.audience) == ("a b", ("x", "y"))
    assert found.issued_at == issued.issued_at.timestamp()
    assert found.expires_at == issued.expires_at.timestamp()


async def test_clients_projection_equals_the_fold_of_each_stream(issuer):
    await register_client(issuer)
    secret_id, _ = await issuer.registry.add_generated_secret("shop", CAUSE)
    await issuer.registry.retire_secret("shop", secret_id, CAUSE)
    await issuer.registry.disable("shop", "test", CAUSE)
    await register_client(issuer, "other")
    for client_id in ("shop", "other"):
        assert await issuer.clients.get(client_id) == await issuer.registry.load(client_id)
    assert [client.client_id for client in await issuer.clients.list_all()] == ["other", "shop"]


async def test_changes_of_clients_in_one_batch_are_all_applied(log):
    mapper = EventMapper()
    event_log = PostgresEventLog(log, inline_versions())
    streams = [
        stream_of(
            client_stream_id(client_id),
            ClientRegistered(client_id=client_id, settings=settings(), registered_at=NOW),
            ClientSecretAdded(client_id=client_id, secret=stored_secret("s1")),
            ClientDisabled(client_id=client_id, disabled_at=NOW, reason="test"),
        )
        for client_id in ("shop", "other")
    ]
    interleaved = [event for events in zip(*streams, strict=True) for event in events]
    await event_log.append([Write([mapper.encode(event)]) for event in interleaved])
    view = PostgresClients(log, LookUps(log))
    for stream in streams:
        folded = fold_client(stream)
        assert folded is not None
        assert folded.version == 3
        assert await view.get(folded.client_id) == folded


async def test_client_id_with_a_nul_byte_is_unknown(issuer):
    assert await issuer.clients.get("sh\x00op") is None


async def test_change_is_recorded_with_its_cause(issuer, client):
    (row,) = await issuer.streams.read_stream(client.id)
    assert (row.actor, row.request_id, row.remote_address) == ("operator:test", "request-1", "192.0.2.1")
