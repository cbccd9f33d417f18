"""The function append_events: what it records, what it refuses, and what a caller with the service's role can do."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import pytest
from msgspec.structs import replace

from ledger.domain.client import register
from ledger.domain.events import (
    ClientDisabled,
    ClientEnabled,
    ClientSecretAdded,
    ClientSecretRetired,
    ClientUpdated,
)
from ledger.domain.identifiers import client_stream_id
from ledger.domain.recording import EventMapper, NewEvent, StreamEvent, StreamGuard, VersionConflict, Write, WriteResult
from ledger.postgres.append import OtherProjectionVersion
from ledger.postgres.database import SESSION, Database
from ledger.postgres.event_log import SQL as LOG
from ledger.postgres.event_log import PostgresEventLog
from ledger.postgres.logs import Log
from projections.active_tokens import ActiveTokensProjection
from projections.catalogue import inline_versions
from projections.clients import ClientsProjection
from tests.appending import append_events
from tests.builders import NOW, seconds, settings, stored_secret, token_issued, token_revoked
from tests.databases import connect
from tests.golden.test_golden_corpus import EXPECTED, payload_of

MAPPER = EventMapper()
CALL = LOG["append_events"]
TABLES = {
    "active_tokens": "SELECT * FROM active_tokens ORDER BY digest",
    "clients": "SELECT log_id, client_id, stream_version, document::text FROM clients ORDER BY client_id",
}


@pytest.fixture
async def log(database) -> AsyncIterator[Log]:
    connections = Database(database.service_dsn)
    yield Log(connections, "appended")
    await connections.close()


@pytest.fixture
def event_log(log) -> PostgresEventLog:
    return PostgresEventLog(log, inline_versions())


@pytest.fixture
async def service_connection(database) -> AsyncIterator[asyncpg.Connection]:
    async with connect(database.service_dsn) as connection:
        yield connection


def token(jti: UUID | None = None, digest: bytes | None = None) -> NewEvent:
    jti = jti or uuid4()
    event = token_issued(jti=jti, digest=digest or jti.bytes * 2)
    return MAPPER.encode(StreamEvent(jti, 1, event))


def revocation(issued: NewEvent) -> NewEvent:
    jti = issued.stream_id
    return MAPPER.encode(StreamEvent(jti, 2, token_revoked(jti=jti, digest=jti.bytes * 2)))


def thing(stream: UUID | None = None, version: int = 1, **changes: object) -> NewEvent:
    event = NewEvent(
        stream_id=stream or uuid4(), stream_version=version, topic="thing.happened", payload=b"{}", salt=bytes(16)
    )
    return replace(event, **changes)


async def digests(superuser) -> set[bytes]:
    return {row["digest"] for row in await superuser.fetch("SELECT digest FROM active_tokens")}


class TestBatch:
    async def test_survivors_have_dense_positions_when_others_conflict(self, event_log):
        stream = uuid4()
        await append_events(event_log, [thing(stream)])
        writes = [
            Write([thing(), thing()]),
            Write([thing(stream)]),
            Write([thing(), thing(stream, 2), thing(stream, 4)]),
            Write([thing(stream, 2)]),
            Write([thing()], [StreamGuard(stream, 1)]),
            Write([thing()], [StreamGuard(stream, 2)]),
        ]
        first, again, gap, follows, moved, guarded = await event_log.append(writes)
        assert [list(result.positions) for result in (first, follows, guarded)] == [[2, 3], [4], [5]]
        assert [(c.stream_id, c.version) for c in (again, gap, moved)] == [(stream, 1), (stream, 2), (stream, 2)]
        assert [event.position for event in await event_log.read(0, 10)] == [1, 2, 3, 4, 5]

    async def test_row_has_every_column(self, event_log):
        event = thing(actor="client:a", request_id="r", remote_address="192.0.2.1", schema_version=3, salt=b"s" * 16)
        (position,) = await append_events(event_log, [event])
        (row,) = await event_log.read(0, 1)
        assert position == 1
        assert {name: getattr(row, name) for name in NewEvent.__struct_fields__ if name != "salt"} == {
            name: getattr(event, name) for name in NewEvent.__struct_fields__ if name != "salt"
        }

    async def test_batch_is_one_round_trip_whether_alone_or_not(self, event_log, database, monkeypatch):
        other_connections = Database(database.service_dsn)
        other = PostgresEventLog(Log(other_connections, "appended"), inline_versions())
        await append_events(event_log, [thing()])
        await append_events(other, [thing()])
        calls = []
        fetch = asyncpg.Connection._execute

        async def counted(self, query, *arguments, **options):
            calls.append(query)
            return await fetch(self, query, *arguments, **options)

        monkeypatch.setattr(asyncpg.Connection, "_execute", counted)
        for process in (event_log, other, event_log):
            await process.append([Write([thing()]), Write([thing(version=2)])])
        await other_connections.close()
        assert len(calls) == 3

    async def test_notification_names_log_and_head(self, event_log, service_connection):
        heard = asyncio.Queue()
        await service_connection.add_listener("token_ledger", lambda *message: heard.put_nowait(message[-1]))
        await append_events(event_log, [thing(), thing()])
        assert await asyncio.wait_for(heard.get(), 60) == "1:2"


class TestRefusal:
    async def test_nothing_is_recorded_when_projection_has_another_version(self, log):
        newer = PostgresEventLog(log, inline_versions() | {"active_tokens": 2})
        with pytest.raises(OtherProjectionVersion):
            await newer.append([Write([thing()])])
        assert (await newer.head()).position == 0

    async def test_entry_over_the_limit_is_refused_alone(self, event_log):
        (small,) = await append_events(event_log, [thing(payload=b"x" * 64_000)])
        assert small == 1
        with pytest.raises(asyncpg.CheckViolationError):
            await append_events(event_log, [thing(payload=b"x" * 65_000)])

    @pytest.mark.parametrize("payload", [b"{}", b"not JSON", b'{"digest":"AAAA"}', b'{"jti":"\\u0000"}'])
    async def test_token_that_cannot_be_folded_is_not_recorded(self, event_log, payload):
        with pytest.raises((asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.SyntaxOrAccessError)):
            await append_events(event_log, [thing(topic="token.issued", payload=payload)])
        assert (await event_log.head()).position == 0

    async def test_digest_issued_twice_is_refused(self, event_log):
        await append_events(event_log, [token(digest=b"d" * 32)])
        with pytest.raises(asyncpg.UniqueViolationError):
            await append_events(event_log, [token(digest=b"d" * 32)])

    @pytest.mark.parametrize("missing", range(1, 14))
    async def test_columns_of_different_lengths_are_refused(self, event_log, log, service_connection, missing):
        await append_events(event_log, [thing()])
        one = [[uuid4()], [1], [1], [1], [0], [1], [1], ["t"], [1], [b"{}"], [None], [None], [None], [bytes(16)]]
        shorter = [column[:-1] if number == missing else column for number, column in enumerate(one)]
        with pytest.raises((asyncpg.DataError, asyncpg.NotNullViolationError)):
            await service_connection.execute(CALL, await log.find_id(), ["active_tokens", "clients"], [1, 1], *shorter)
        assert (await event_log.head()).position == 1


class TestFold:
    async def test_function_and_python_give_the_same_rows(self, event_log, log, superuser):
        """Every type of event, several of a client and of a token in one batch."""
        shop, depot = client_stream_id("shop"), client_stream_id("depot")
        chosen = stored_secret("s2", expires_at=NOW + seconds(60))
        changes = [
            (shop, register("shop", settings(name="Loja Açaí \U0001f511"), now=NOW)),
            (depot, register("depot", settings(default_scopes=(), audience=("a", "b")), now=NOW)),
            (shop, ClientSecretAdded(client_id="shop", secret=stored_secret("s1"))),
            (shop, ClientSecretAdded(client_id="shop", secret=chosen)),
            (shop, ClientSecretRetired(client_id="shop", secret_id="s1", expires_at=NOW)),
            (depot, ClientDisabled(client_id="depot", disabled_at=NOW, reason="a\ttest")),
            (shop, ClientUpdated(client_id="shop", settings=settings(name="Shop"), updated_at=NOW)),
            (depot, ClientEnabled(client_id="depot", enabled_at=NOW)),
        ]
        versions = {shop: 0, depot: 0}
        rows = []
        for stream, change in changes:
            versions[stream] += 1
            rows.append(MAPPER.encode(StreamEvent(stream, versions[stream], change)))
        issued = [token() for _ in range(5)]
        ended = [revocation(issued[0]), revocation(issued[3])]
        results = await event_log.append([Write([row]) for row in (*rows, *issued, *ended)])
        assert all(isinstance(result, WriteResult) for result in results)
        await self._compare(event_log, log, superuser)

    async def test_golden_corpus_folds_as_in_python(self, event_log, log, superuser):
        """Each event version ever stored, as the bytes that are stored."""
        beginnings = ("client.registered", "token.issued")
        for topic, schema_version in sorted(EXPECTED, key=lambda key: (key[0] not in beginnings, key)):
            event = EXPECTED[topic, schema_version]
            stream = client_stream_id(event.client_id) if topic.startswith("client.") else event.jti
            version = len(await event_log.read_stream(stream)) + 1
            if version == 1 and topic not in beginnings:
                first = register(event.client_id, settings(), now=NOW)
                await append_events(event_log, [MAPPER.encode(StreamEvent(stream, 1, first))])
                version = 2
            payload = payload_of(topic, schema_version)
            row = thing(stream, version, topic=topic, schema_version=schema_version, payload=payload)
            await append_events(event_log, [row])
        await self._compare(event_log, log, superuser)

    async def _compare(self, event_log, log, superuser) -> None:
        by_function = {name: await superuser.fetch(statement) for name, statement in TABLES.items()}
        assert by_function["clients"]
        rows = await event_log.read(0, 1000)
        async with superuser.transaction():
            await superuser.execute("DELETE FROM active_tokens; DELETE FROM clients")
            for projection in (ActiveTokensProjection(MAPPER), ClientsProjection(MAPPER)):
                events = [row for row in rows if row.topic in projection.topics]
                await projection.apply(superuser, await log.find_id(), events)
            by_python = {name: await superuser.fetch(statement) for name, statement in TABLES.items()}
        assert by_function == by_python

    async def test_token_issued_and_revoked_in_one_batch_is_not_active(self, event_log, superuser):
        first, second = token(), token()
        await event_log.append([Write([first]), Write([second]), Write([revocation(first)])])
        assert await digests(superuser) == {second.stream_id.bytes * 2}

    async def test_conflicting_write_changes_no_view(self, event_log, superuser):
        kept, refused = token(), token()
        await append_events(event_log, [kept])
        results = await event_log.append([Write([refused, revocation(kept)], [StreamGuard(kept.stream_id, 7)])])
        assert isinstance(results[0], VersionConflict)
        assert await digests(superuser) == {kept.stream_id.bytes * 2}


class TestCaller:
    async def test_temporary_table_does_not_replace_a_table(self, event_log, log, service_connection, database):
        async with connect(database.superuser_dsn) as superuser:
            await superuser.execute(f'GRANT TEMPORARY ON DATABASE "{database.name}" TO PUBLIC')
        await append_events(event_log, [thing()])
        for table in ("active_tokens", "event_log", "log_head", "projection_versions"):
            await service_connection.execute(f"CREATE TEMPORARY TABLE {table} (LIKE public.{table})")
        issued = token()
        columns = [[issued.stream_id], [0], [1], [], [], [1], [1], [issued.topic], [1], [issued.payload]]
        before = await service_connection.fetchval(
            CALL,
            await log.find_id(),
            ["active_tokens", "clients"],
            [1, 1],
            *columns,
            [None],
            [None],
            [None],
            [bytes(16)],
        )
        assert before == 1
        assert await service_connection.fetchval("SELECT count(*) FROM public.active_tokens") == 1
        assert await service_connection.fetchval("SELECT count(*) FROM public.event_log") == 2
        assert await service_connection.fetchval("SELECT count(*) FROM event_log") == 0

    async def test_log_is_created_once_when_processes_race(self, database):
        connections = [Database(database.service_dsn) for _ in range(4)]
        names = ("one", "two")
        ids = await asyncio.gather(*(Log(c, name).ensure_id() for c in connections for name in names))
        for each in connections:
            await each.close()
        assert sorted(set(ids)) == [1, 2]
        assert ids == ids[:2] * 4

    async def test_append_reads_by_index_only(self, event_log, log, database):
        """The statements inside the function, by what PostgreSQL counts of the transaction."""
        issued = [token() for _ in range(20)]
        await event_log.append([Write([event]) for event in issued])
        read = "SELECT relname FROM pg_stat_xact_user_tables WHERE relname = ANY ($1) AND seq_scan > 0"
        gone = revocation(issued[0])
        columns = [[gone.stream_id], [0], [1], [], [], [1], [2], [gone.topic], [1], [gone.payload]]
        arguments = [["active_tokens", "clients"], [1, 1], *columns, [None], [None], [None], [bytes(16)]]
        tables = ["event_log", "log_head", "active_tokens", "projection_versions"]
        async with connect(database.service_dsn, server_settings=SESSION) as connection, connection.transaction():
            row = await connection.fetchrow(CALL, await log.find_id(), *arguments)
            scanned = await connection.fetch(read, tables)
        assert row["before"] == 20
        assert [tuple(row) for row in scanned] == []
