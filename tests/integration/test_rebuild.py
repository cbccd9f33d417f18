"""A rebuild restores the same rows and the same schema while the service runs, and blocks no request."""

import asyncio
import itertools
from contextlib import asynccontextmanager

import asyncpg
import pytest

from ledger.domain.recording import EventMapper
from projections.active_tokens import ActiveTokensProjection
from projections.rebuilding import build as building
from projections.rebuilding import rebuild, swap
from projections.rebuilding.connections import connect
from projections.rebuilding.errors import (
    BuildInProgress,
    BuildRefused,
    EventNotFolded,
)
from tests.integration.catalog import describe
from tests.integration.conftest import CAUSE, register_client
from tests.integration.histories import (
    CHECKPOINT,
    NAMES,
    build,
    check,
    issue_and_revoke,
    of,
    rows,
    write_some_history,
)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(swap, "RETRY_SECONDS", 0.02)


async def schemas(superuser):
    found = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'build_of%'"
    return [row["nspname"] for row in await superuser.fetch(found)]


@pytest.mark.parametrize("name", NAMES)
async def test_rebuild_restores_the_same_rows_and_schema(database, service, superuser, name):
    await write_some_history(service)
    before, schema = await rows(superuser, name), await describe(database.owner_dsn)
    assert all(before.values())
    rebuilt = await build(database.owner_dsn, name)
    assert await rows(superuser, name) == before
    assert await describe(database.owner_dsn) == schema
    assert await schemas(superuser) == []
    assert await superuser.fetch("SELECT * FROM projection_builds") == []
    assert await superuser.fetch("SELECT * FROM projection_build_positions") == []
    assert rebuilt.events == await superuser.fetchval("SELECT sum(position) FROM log_head")


@pytest.mark.parametrize("name", NAMES)
async def test_rebuild_restores_rows_when_they_were_deleted(database, service, superuser, name):
    await write_some_history(service)
    before = await rows(superuser, name)
    for table in of(name).tables:
        await superuser.execute(f"DELETE FROM {table}")  # noqa: S608
    await build(database.owner_dsn, name)
    assert await rows(superuser, name) == before


@pytest.mark.parametrize("name", NAMES)
async def test_rebuild_succeeds_when_ledger_is_empty(database, superuser, name):
    rebuilt = await build(database.owner_dsn, name)
    assert rebuilt.events == 0
    assert not any((await rows(superuser, name)).values())


async def test_service_works_after_a_rebuild(database, service, superuser):
    await write_some_history(service)
    for name in NAMES:
        await build(database.owner_dsn, name)
    issuer = service.issuers[0]
    client = await issuer.clients.get("shop")
    active, revoked = (await issue_and_revoke(issuer, client, 4))[1::-1]
    assert await issuer.introspection.find_active_token(active) is not None
    assert await issuer.introspection.find_active_token(revoked) is None
    await service.catch_up()
    for name in NAMES:
        assert (await check(database.owner_dsn, name)).equal


async def test_rebuild_reaches_the_head_when_projection_lagged(database, service, superuser):
    await write_some_history(service)
    issuer = service.issuers[0]
    await issue_and_revoke(issuer, await issuer.clients.get("shop"), 5)
    await build(database.owner_dsn, "token_history")
    head = (await issuer.streams.head()).position
    assert (await superuser.fetch(CHECKPOINT))[0]["position"] == head
    assert (await check(database.owner_dsn, "token_history")).equal


async def test_rebuild_includes_a_log_that_was_never_followed(database, service, issuer, client, superuser):
    await issue_and_revoke(issuer, client, 5)
    assert await superuser.fetch(CHECKPOINT) == []
    await build(database.owner_dsn, "token_history")
    await service.catch_up()
    assert (await check(database.owner_dsn, "token_history")).equal
    assert len((await rows(superuser, "token_history"))["token_history"]) == 5


class Interrupted(Exception):
    """Ends a build in a test."""


@pytest.mark.parametrize(("name", "phase"), list(itertools.product(NAMES, ["fill", "create_indexes", "swap"])))
async def test_rebuild_resumes_when_it_was_interrupted(database, service, superuser, name, phase):
    await write_some_history(service)
    before = await rows(superuser, name)

    async def interrupted(*_arguments):
        raise Interrupted

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(*((rebuild, "swap_tables") if phase == "swap" else (building.Build, phase)), interrupted)
        with pytest.raises(Interrupted):
            await build(database.owner_dsn, name)
    assert await rows(superuser, name) == before
    rebuilt = await build(database.owner_dsn, name)
    assert rebuilt.resumed_at == (0 if phase == "fill" else rebuilt.events)
    assert await rows(superuser, name) == before
    assert await schemas(superuser) == []


async def test_rebuild_resumes_at_the_page_that_was_not_written(database, service, superuser, monkeypatch):
    await write_some_history(service)
    monkeypatch.setattr("projections.rebuilding.throttle.PAGE_POSITIONS", 5)
    projection = of("token_history")
    folded, fold = [], projection.fold

    async def fold_some(connection, log_id, events):
        if len(folded) == 2:
            raise asyncpg.ConnectionDoesNotExistError
        folded.append(log_id)
        await fold(connection, log_id, events)

    projection.fold = fold_some
    with pytest.raises(Exception, match="cannot be reached"):
        await build(database.owner_dsn, projection)
    positions = await superuser.fetch("SELECT log_id, position FROM projection_build_positions")
    assert [tuple(row) for row in positions] == [(1, 10)]
    rebuilt = await build(database.owner_dsn, "token_history")
    assert rebuilt.resumed_at == 10
    assert (await check(database.owner_dsn, "token_history")).equal


async def test_rebuild_restarts_on_demand_or_when_build_is_outdated(database, service, superuser, monkeypatch):
    await write_some_history(service)

    async def interrupted(*_arguments):
        raise Interrupted

    async def interrupt():
        with monkeypatch.context() as patched:
            patched.setattr(rebuild, "swap_tables", interrupted)
            with pytest.raises(Interrupted):
                await build(database.owner_dsn, "active_tokens")

    await interrupt()
    assert (await build(database.owner_dsn, "active_tokens", restart=True)).resumed_at == 0
    await interrupt()
    await superuser.execute("UPDATE projection_builds SET version = 0")
    assert (await build(database.owner_dsn, "active_tokens")).resumed_at == 0
    await interrupt()
    await superuser.execute("ALTER TABLE active_tokens ADD COLUMN more text")
    assert (await build(database.owner_dsn, "active_tokens")).resumed_at == 0


async def test_rebuild_is_refused_when_another_process_builds(database, service, monkeypatch):
    await write_some_history(service)
    begun, go_on = asyncio.Event(), asyncio.Event()
    create_indexes = building.Build.create_indexes

    async def wait(self):
        begun.set()
        await go_on.wait()
        await create_indexes(self)

    monkeypatch.setattr(building.Build, "create_indexes", wait)
    first = asyncio.create_task(build(database.owner_dsn, "active_tokens"))
    await begun.wait()
    async with asyncio.timeout(60):
        with pytest.raises(BuildInProgress, match=r"active_tokens is being built by test, since 20"):
            await build(database.owner_dsn, "active_tokens")
    go_on.set()
    await build(database.owner_dsn, "clients")
    assert (await first).events


async def test_rebuild_is_refused_when_role_does_not_own_tables(database):
    with pytest.raises(BuildRefused, match=r"does not own active_tokens.*--owner-dsn"):
        await build(database.service_dsn, "active_tokens")


async def test_rebuild_is_refused_when_views_read_the_tables(database, superuser):
    await superuser.execute("CREATE VIEW mine AS SELECT count(*) FROM token_activity")
    with pytest.raises(BuildRefused, match="views mine read the live tables"):
        await build(database.owner_dsn, "token_history")
    assert await schemas(superuser) == []


async def test_error_names_the_event_when_it_cannot_be_folded(database, service, superuser):
    await write_some_history(service)
    before = await rows(superuser, "token_history")
    of_one = "SELECT stream_id FROM event_log WHERE topic = 'token.revoked' AND log_id = 1 LIMIT 1"
    await superuser.execute(
        f"UPDATE event_log SET topic = 'client.enabled' WHERE topic = 'token.issued' AND stream_id = ({of_one})"  # noqa: S608
    )
    position = await superuser.fetchval(
        f"SELECT position FROM event_log WHERE topic = 'token.revoked' AND stream_id = ({of_one})"  # noqa: S608
    )
    with pytest.raises(EventNotFolded, match=rf"position {position} of log 1 \(token.revoked\).*RevokedBeforeIssued"):
        await build(database.owner_dsn, "token_history")
    assert await rows(superuser, "token_history") == before
    # When an operator has skipped it, the build resumes and leaves it out.
    await superuser.execute(
        "INSERT INTO projection_skips VALUES (1, 'token_history', $1, 'token.revoked', '', 'x', 'me', now())", position
    )
    assert (await build(database.owner_dsn, "token_history")).events
    assert len((await rows(superuser, "token_history"))["token_history"]) == len(before["token_history"]) - 1


async def test_error_names_the_event_when_it_cannot_be_decoded(database, service, superuser):
    await write_some_history(service)
    await superuser.execute("UPDATE event_log SET payload = 'not json' WHERE log_id = 2 AND position = 7")
    with pytest.raises(EventNotFolded, match=r"position 7 of log 2 .*CorruptPayload"):
        await build(database.owner_dsn, "active_tokens")


@asynccontextmanager
async def reading(superuser, table):
    """A transaction that has read the table, as a backup does."""
    async with superuser.transaction():
        await superuser.execute(f"SELECT FROM {table}")
        yield


async def test_swap_waits_without_blocking_when_table_is_read(database, service, superuser):
    await write_some_history(service)
    issuer = service.issuers[0]
    client = await issuer.clients.get("shop")
    told = []
    async with reading(superuser, "active_tokens"):
        building = asyncio.create_task(build(database.owner_dsn, "active_tokens", report=told.append))
        while not any("in use" in line for line in told):  # noqa: ASYNC110 (only the server knows)
            await asyncio.sleep(0.01)
        async with asyncio.timeout(60):
            for token in await issue_and_revoke(issuer, client, 10):
                await issuer.introspection.find_active_token(token)
        assert not building.done()
    rebuilt = await building
    assert rebuilt.locked_ms < 30_000
    assert (await check(database.owner_dsn, "active_tokens")).equal


async def test_swap_gives_up_and_resumes_when_table_stays_in_use(database, service, superuser, monkeypatch):
    await write_some_history(service)
    monkeypatch.setattr(swap, "ATTEMPTS", 2)
    async with reading(superuser, "token_history"):
        with pytest.raises(BuildRefused, match="resumes here"):
            await build(database.owner_dsn, "token_history")
    rebuilt = await build(database.owner_dsn, "token_history")
    assert rebuilt.resumed_at == rebuilt.events


async def test_rebuild_under_load_fails_no_request_and_loses_no_event(database, start_process):
    """Two processes issue, introspect and revoke while each projection is rebuilt twice."""
    processes = [await start_process() for _ in range(2)]
    for process in processes:
        process.follow()
    client = await register_client(processes[0].issuers[0])
    done, answered = asyncio.Event(), []

    async def work(issuer, other):
        while not done.is_set():
            issued = await issuer.issuance.issue_token(client, None, CAUSE)
            assert await other.introspection.find_active_token(issued.access_token) is not None
            if len(answered) % 3 == 0:
                await issuer.revocation.revoke_token(client, issued.access_token, CAUSE)
                assert await other.introspection.find_active_token(issued.access_token) is None
            assert await issuer.clients.get("shop") == client
            answered.append(issued.position)

    async def build_all():
        try:
            for name in NAMES * 2:
                await build(database.owner_dsn, name)
                assert (await check(database.owner_dsn, name)).equal
        finally:
            done.set()

    here, there = (process.issuers[0] for process in processes)
    pairs = [(here, there), (there, here)] * 4
    async with asyncio.TaskGroup() as group:
        group.create_task(build_all())
        for pair in pairs:
            group.create_task(work(*pair))
    assert len(answered) > 50
    head = (await here.streams.head()).position
    await here.audit.moments.resolve(min_position=head)
    for name in NAMES:
        found = await check(database.owner_dsn, name)
        assert found.equal
        assert found.positions == {1: head}


async def test_build_cannot_reach_live_tables_by_name(database, service):
    await write_some_history(service)

    class Careless(ActiveTokensProjection):
        async def fold(self, connection, log_id, events):
            await connection.execute("DELETE FROM clients")

    with pytest.raises(EventNotFolded, match="UndefinedTableError"):
        await build(database.owner_dsn, Careless(EventMapper()))
    async with connect(database.owner_dsn) as connection:
        assert await connection.fetchval("SELECT count(*) FROM clients") == 4
