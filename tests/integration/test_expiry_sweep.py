"""The sweep deletes exactly the expired rows of `active_tokens` while the service runs."""

import asyncio

import asyncpg
import pytest

from ledger.domain.errors import Unavailable
from ledger.domain.secrets import hash_token
from ledger.postgres import database as connections
from ledger.postgres.database import Database
from projections import expiry_sweep
from projections.expiry_sweep import GRACE_SECONDS, MAX_REST_SECONDS, POLL_SECONDS, ExpirySweep, read_sweep_lag
from projections.rebuilding import tables
from tests.breaking_proxy import BreakingProxy
from tests.integration.conftest import CAUSE
from tests.integration.histories import build, check, issue_and_revoke, record_expired, rows

STATE = "SELECT * FROM expiry_sweep"
COUNT = "SELECT count(*) FROM active_tokens"


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch):
    monkeypatch.setattr(expiry_sweep, "rest_seconds", lambda **_: 0.0)
    monkeypatch.setattr(expiry_sweep, "REST_PER_WORK", 0.0)


@pytest.fixture
async def connected(database):
    made = Database(database.service_dsn)
    yield made
    await made.close()


@pytest.fixture
def sweep(connected) -> ExpirySweep:
    return ExpirySweep(connected, within=60.0)


async def walk(sweep, superuser) -> None:
    """Take steps to the end of the table."""
    await sweep.step()
    while await superuser.fetchval("SELECT block FROM expiry_sweep"):
        await sweep.step()


async def wait_until_swept(superuser, left: int = 0) -> None:
    async with asyncio.timeout(60):
        while await superuser.fetchval(COUNT) > left:  # noqa: ASYNC110 (only the server knows)
            await asyncio.sleep(0.01)


async def test_sweep_deletes_exactly_expired_rows_of_every_log(database, service, client, sweep, superuser):
    for log in ("first", "second"):
        await record_expired(database.service_dsn, 50, log=log)
    live = [await service.issuers[0].issuance.issue_token(client, None, CAUSE) for _ in range(20)]
    await walk(sweep, superuser)
    left = {row["digest"] for row in await superuser.fetch("SELECT digest FROM active_tokens")}
    assert left == {hash_token(token.access_token) for token in live}
    assert sweep.counts.rows == 100


async def test_row_stays_for_a_grace_period_because_clocks_differ(database, sweep, superuser, monkeypatch):
    monkeypatch.setattr(expiry_sweep, "GRACE_SECONDS", 3600)
    for ago in (1, 3601):
        await record_expired(database.service_dsn, 1, ago=ago)
    await walk(sweep, superuser)
    assert await superuser.fetchval(COUNT) == 1
    assert await superuser.fetchval("SELECT expires_at > extract(epoch FROM now()) - 3600 FROM active_tokens")


async def test_walk_continues_when_processes_take_turns(database, connected, sweep, superuser, monkeypatch):
    monkeypatch.setattr(expiry_sweep, "STEP_PAGES", 1)
    await record_expired(database.service_dsn, 200)
    pages = await superuser.fetchval("SELECT pg_relation_size('active_tokens') / 8192")
    assert pages > 2
    other = ExpirySweep(connected, within=60.0)
    for block in range(pages):
        assert await superuser.fetchval("SELECT block FROM expiry_sweep") == block
        await (sweep, other)[block % 2].step()
    assert await superuser.fetchval(COUNT) == 0
    assert await superuser.fetchval("SELECT block FROM expiry_sweep") == 0
    assert min(sweep.counts.rows, other.counts.rows) > 0
    assert sweep.counts.rows + other.counts.rows == 200


async def test_step_is_not_taken_when_it_is_not_due(database, sweep, superuser):
    await record_expired(database.service_dsn, 1)
    await superuser.execute("UPDATE expiry_sweep SET due_at = clock_timestamp() + interval '1 minute'")
    assert 50 < await sweep.step() <= 60
    assert (await superuser.fetchval(COUNT), sweep.counts.steps) == (1, 0)
    await superuser.execute("UPDATE expiry_sweep SET due_at = clock_timestamp() + interval '1 day'")
    assert await sweep.step() == MAX_REST_SECONDS


async def test_next_step_is_due_after_the_rest(database, connected, superuser, monkeypatch):
    monkeypatch.setattr(expiry_sweep, "rest_seconds", lambda **_: 30.0)
    here, there = ExpirySweep(connected, within=60.0), ExpirySweep(connected, within=60.0)
    assert await here.step() == 30.0
    assert 20 < await there.step() <= 30
    assert (here.counts.steps, there.counts.steps) == (1, 0)


async def test_step_is_skipped_when_another_process_takes_it(database, sweep, superuser):
    await record_expired(database.service_dsn, 1)
    async with superuser.transaction():
        await superuser.execute("SELECT FROM expiry_sweep FOR UPDATE")
        assert await sweep.step() == POLL_SECONDS
    assert (await superuser.fetchval(COUNT), sweep.counts.steps) == (1, 0)
    await sweep.step()
    assert (await superuser.fetchval(COUNT), sweep.counts.steps) == (0, 1)


async def test_lag_is_the_age_of_the_last_complete_walk(database, connected, sweep, superuser, monkeypatch):
    monkeypatch.setattr(expiry_sweep, "STEP_PAGES", 1)
    await record_expired(database.service_dsn, 200)
    await superuser.execute("UPDATE expiry_sweep SET walked_at = walked_at - interval '1 hour'")
    await sweep.step()
    assert await read_sweep_lag(connected) > 3600
    began = await superuser.fetchval("SELECT began_at FROM expiry_sweep")
    await walk(sweep, superuser)
    assert await superuser.fetchval("SELECT walked_at FROM expiry_sweep") == began
    assert await read_sweep_lag(connected) < 3600


async def test_walk_restarts_when_rows_move_to_another_file(database, sweep, superuser, monkeypatch):
    monkeypatch.setattr(expiry_sweep, "STEP_PAGES", 1)
    await record_expired(database.service_dsn, 200)
    await superuser.execute("UPDATE expiry_sweep SET block = 2")
    await sweep.step()
    began, block = await superuser.fetchrow("SELECT began_at, block FROM expiry_sweep")
    assert block == 1
    await superuser.execute("VACUUM FULL active_tokens")
    await sweep.step()
    again = await superuser.fetchrow("SELECT began_at, block FROM expiry_sweep")
    assert again["block"] == 1
    assert again["began_at"] > began


async def test_walk_is_complete_when_table_is_empty(connected, sweep, superuser):
    before = await superuser.fetchrow(STATE)
    await sweep.step()
    after = await superuser.fetchrow(STATE)
    assert after["walked_at"] > before["walked_at"]
    assert (sweep.counts.rows, sweep.counts.steps) == (0, 1)


async def test_sweep_gives_way_when_table_or_row_is_locked(database, sweep, superuser):
    await record_expired(database.service_dsn, 3)
    for held in ("LOCK TABLE active_tokens", "SELECT FROM active_tokens FOR UPDATE"):
        async with superuser.transaction():
            await superuser.execute(held)
            with pytest.raises(asyncpg.LockNotAvailableError):
                await asyncio.wait_for(sweep.step(), 60)
    await sweep.step()
    assert await superuser.fetchval(COUNT) == 0


async def test_step_changes_nothing_when_it_fails(database, sweep, superuser, monkeypatch):
    await record_expired(database.service_dsn, 3)
    before = await superuser.fetchrow(STATE)
    await superuser.execute("ALTER TABLE expiry_sweep ADD CHECK (block < 0) NOT VALID")
    with pytest.raises(asyncpg.CheckViolationError):
        await sweep.step()
    assert await superuser.fetchval(COUNT) == 3
    assert (await superuser.fetchrow(STATE), sweep.counts.rows) == (before, 0)


async def test_requests_succeed_when_two_processes_sweep(database, start_process, client, superuser):
    """Batches insert and delete in the pages that the sweep walks over."""
    here, there = await start_process(), await start_process()
    for service in (here, there):
        service.sweep(60.0)
    issued, revoked = [], []

    async def work(service) -> None:
        for _ in range(5):
            await record_expired(database.service_dsn, 40)
            for number in range(10):
                token = (await service.issuers[0].issuance.issue_token(client, None, CAUSE)).access_token
                if number % 2:
                    assert await service.issuers[0].revocation.revoke_token(client, token, CAUSE)
                    revoked.append(token)
                else:
                    issued.append(token)

    await asyncio.gather(work(here), work(there))
    await wait_until_swept(superuser, len(issued))
    introspection = there.issuers[0].introspection
    assert all([await introspection.find_active_token(token) for token in issued])
    assert not any([await introspection.find_active_token(token) for token in revoked])
    assert here.counts().sweep.rows + there.counts().sweep.rows == 400
    assert (await check(database.owner_dsn, "active_tokens")).equal


async def test_sweep_continues_when_database_was_away(database, start_process, superuser, monkeypatch):
    monkeypatch.setattr(connections, "PAUSE_AFTER_REFUSAL", 0.0)
    monkeypatch.setattr(expiry_sweep, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(expiry_sweep, "rest_seconds", lambda **_: 0.01)
    async with BreakingProxy(database.service_dsn).running() as proxy:
        service = await start_process(proxy.dsn)
        service.sweep(60.0)
        await record_expired(database.service_dsn, 10)
        await wait_until_swept(superuser)
        proxy.refusing = True
        for writer in proxy._writers:
            writer.transport.abort()
        with pytest.raises(Unavailable):
            await service.sweep_lag()
        await record_expired(database.service_dsn, 10)
        proxy.refusing = False
        await wait_until_swept(superuser)
        await service.close()
    assert service.counts().sweep.rows == 20


async def test_revocation_records_nothing_when_row_was_swept(database, issuer, client, sweep, superuser):
    (token,) = await record_expired(database.service_dsn, 1)
    jti = await superuser.fetchval("SELECT jti FROM active_tokens")
    await walk(sweep, superuser)
    head = await issuer.streams.head()
    assert await issuer.revocation.revoke_token(client, token, CAUSE) is None
    assert await issuer.revocation.revoke_by_jti(jti, "lost", CAUSE) is None
    assert await issuer.introspection.find_active_token(token) is None
    assert await issuer.streams.head() == head


async def test_rebuild_omits_expired_rows(database, service, client, superuser):
    await record_expired(database.service_dsn, 30)
    await issue_and_revoke(service.issuers[0], client, 6)
    live = await rows(superuser, "active_tokens")
    await build(database.owner_dsn, "active_tokens")
    left = await rows(superuser, "active_tokens")
    assert len(left["active_tokens"]) == 4
    assert all(row in live["active_tokens"] for row in left["active_tokens"])
    assert (await check(database.owner_dsn, "active_tokens")).equal


async def test_rebuild_is_correct_when_the_sweep_runs(database, start_process, client, superuser, monkeypatch):
    """The sweep runs before, during and after the swap; every active row survives."""
    sweeping = await start_process()
    indexed, go_on = asyncio.Event(), asyncio.Event()
    analyze = tables.analyze

    async def wait(connection, projection, schema):
        await analyze(connection, projection, schema)
        indexed.set()
        await go_on.wait()

    monkeypatch.setattr(tables, "analyze", wait)
    await issue_and_revoke(sweeping.issuers[0], client, 9)
    await record_expired(database.service_dsn, 100, ago=GRACE_SECONDS - 1)
    sweeping.sweep(60.0)
    building = asyncio.create_task(build(database.owner_dsn, "active_tokens"))
    await indexed.wait()
    await record_expired(
        database.service_dsn, 100
    )  # the build contains them, the sweep deletes them from the old table
    await wait_until_swept(superuser, 6)
    go_on.set()
    await building
    await wait_until_swept(superuser, 6)
    assert (await check(database.owner_dsn, "active_tokens")).equal
    steps = sweeping.counts().sweep.steps
    await record_expired(database.service_dsn, 10)
    await wait_until_swept(superuser, 6)
    assert sweeping.counts().sweep.steps > steps
