"""Verification compares the rows of a projection with the log, in both directions, while the service runs."""

import asyncio
import time

import pytest

from ledger.domain.recording import EventMapper
from ledger.use_cases.audit import PositionBeyondHead
from projections.rebuilding import tables, verification
from projections.rebuilding.comparison import HIDDEN
from projections.rebuilding.errors import BuildRefused
from projections.token_history import TokenHistoryProjection
from tests.integration.histories import NAMES, build, check, issue_and_revoke, of, record_expired, write_some_history

TAMPERED = {
    "active_tokens": [
        ("UPDATE active_tokens SET expires_at = expires_at + 1 WHERE {one}", "expires_at"),
        ("UPDATE active_tokens SET scope = 'admin' WHERE {one}", "scope"),
    ],
    "clients": [
        ("UPDATE clients SET document = document || '{{\"enabled\": true}}' WHERE client_id = 'depot'", "document")
    ],
    "token_history": [
        ("UPDATE token_history SET revoked_by = NULL WHERE revoked_by IS NOT NULL AND {one}", "revoked_by"),
        ("UPDATE token_history SET expires_at = expires_at + interval '1 us' WHERE {one}", "expires_at"),
    ],
    "token_activity": [("UPDATE token_activity SET ended = ended - 1 WHERE {one}", "ended")],
}
OWNERS = {table: name for name in NAMES for table in of(name).tables}


def of_one(table, condition="true"):
    """A condition that selects one row by its place in the table."""
    return f"ctid = (SELECT ctid FROM {table} WHERE {condition} ORDER BY ctid LIMIT 1)"  # noqa: S608


@pytest.fixture(autouse=True)
async def _history(service):
    await write_some_history(service)


@pytest.mark.parametrize("name", NAMES)
async def test_verification_by_service_role_finds_nothing_when_intact(database, superuser, name):
    found = await check(database.service_dsn, name)
    assert found.equal
    assert found.events == await superuser.fetchval("SELECT sum(position) FROM log_head")


@pytest.mark.parametrize(("table", "case"), [(t, n) for t, cases in TAMPERED.items() for n in range(len(cases))])
async def test_verification_finds_a_changed_row_and_its_values(database, superuser, table, case):
    statement, column = TAMPERED[table][case]
    condition = "revoked_by IS NOT NULL" if column == "revoked_by" else "true"
    assert await superuser.execute(statement.format(one=of_one(table, condition))) != "UPDATE 0"
    found = await check(database.owner_dsn, OWNERS[table])
    if table == "clients":
        assert found.differences.count == 2  # one per log
    else:
        assert found.differences.count == 1
    difference = found.differences.first[0]
    assert difference.table == table
    assert set(difference.before) == set(difference.after) == {column}
    assert (difference.before[column] == difference.after[column]) == (column == "document")


@pytest.mark.parametrize("table", OWNERS)
async def test_verification_finds_a_removed_row(database, superuser, table):
    await superuser.execute(f"DELETE FROM {table} WHERE {of_one(table)}")  # noqa: S608
    found = await check(database.owner_dsn, OWNERS[table])
    assert found.differences.count == 1
    (difference,) = found.differences.first
    assert (difference.table, difference.after) == (table, None)
    assert difference.before


@pytest.mark.parametrize("sample", [None, 1000])
async def test_only_expired_rows_may_be_missing(database, superuser, sample):
    await record_expired(database.service_dsn, 3)
    assert (await check(database.owner_dsn, "active_tokens", sample=sample)).equal
    expired = "expires_at <= extract(epoch FROM clock_timestamp())"
    await superuser.execute(f"DELETE FROM active_tokens WHERE {of_one('active_tokens', expired)}")  # noqa: S608
    assert (await check(database.owner_dsn, "active_tokens", sample=sample)).equal
    await superuser.execute(f"DELETE FROM active_tokens WHERE {expired}")  # noqa: S608
    assert (await check(database.owner_dsn, "active_tokens", sample=sample)).equal
    await superuser.execute(f"DELETE FROM active_tokens WHERE {of_one('active_tokens')}")  # noqa: S608
    found = await check(database.owner_dsn, "active_tokens", sample=sample)
    (difference,) = found.differences.first
    assert (found.differences.count, difference.after) == (1, None)
    assert difference.before["expires_at"] > time.time()


async def test_verification_finds_a_changed_row_when_it_has_expired(database, superuser):
    await record_expired(database.service_dsn, 3)
    one = of_one("active_tokens", "expires_at <= extract(epoch FROM clock_timestamp())")
    await superuser.execute(f"UPDATE active_tokens SET subject = 'eve' WHERE {one}")  # noqa: S608
    found = await check(database.owner_dsn, "active_tokens")
    assert (found.differences.count, found.differences.first[0].after) == (1, {"subject": "eve"})


async def test_expiry_is_read_from_the_log_when_a_row_is_missing(database, superuser):
    """The expiry of an active token was changed, and the sweep deleted the row."""
    await superuser.execute(f"UPDATE active_tokens SET expires_at = 1 WHERE {of_one('active_tokens')}")  # noqa: S608
    await superuser.execute("DELETE FROM active_tokens WHERE expires_at = 1")
    assert (await check(database.owner_dsn, "active_tokens")).differences.count == 1


@pytest.mark.parametrize("table", OWNERS)
async def test_verification_finds_an_added_row(database, superuser, table):
    key = {"active_tokens": "digest = sha256('mine')", "clients": "client_id = 'mine'"}.get(table, "log_id = 7")
    await superuser.execute(
        f"""
        CREATE TEMP TABLE mine AS SELECT * FROM {table} LIMIT 1;
        UPDATE mine SET {key};
        INSERT INTO {table} SELECT * FROM mine
        """  # noqa: S608
    )
    found = await check(database.owner_dsn, OWNERS[table])
    assert found.differences.count == 1
    (difference,) = found.differences.first
    assert (difference.table, difference.before) == (table, None)


async def test_verification_finds_a_revoked_token_that_is_active(database, service, superuser):
    """The most important case: a revoked token is active again."""
    await superuser.execute("CREATE TEMP TABLE kept AS SELECT * FROM active_tokens WHERE log_id = 1")
    issuer = service.issuers[0]
    (token,) = await issue_and_revoke(issuer, await issuer.clients.get("shop"), 1)
    assert token
    revoked = "SELECT digest FROM token_history WHERE revoked_position IS NOT NULL AND log_id = 1 LIMIT 1"
    await superuser.execute(
        f"INSERT INTO active_tokens SELECT log_id, ({revoked}), jti, client_id, subject, scope, audience, issued_at, "  # noqa: S608
        "expires_at FROM kept LIMIT 1"
    )
    found = await check(database.owner_dsn, "active_tokens")
    assert (found.differences.count, found.differences.first[0].before) == (1, None)


async def test_client_document_is_hidden_when_it_differs(database, superuser):
    await superuser.execute("UPDATE clients SET document = '{}' WHERE log_id = 1 AND client_id = 'shop'")
    (difference,) = (await check(database.owner_dsn, "clients")).differences.first
    assert difference.key == {"log_id": 1, "client_id": "shop"}
    assert (difference.before, difference.after) == ({"document": HIDDEN}, {"document": HIDDEN})


async def test_differences_are_limited_but_all_are_counted(database, superuser):
    await superuser.execute("UPDATE token_history SET actor = 'x'".replace("actor", "issued_by"))
    everything = await superuser.fetchval("SELECT count(*) FROM token_history")
    await superuser.execute("UPDATE token_activity SET issued = issued + 1")
    everything += await superuser.fetchval("SELECT count(*) FROM token_activity")
    found = await check(database.owner_dsn, "token_history", limit=3)
    assert (len(found.differences.first), found.differences.count) == (3, everything)


async def test_verification_covers_one_log_when_asked(database, superuser):
    await superuser.execute("UPDATE active_tokens SET scope = 'admin' WHERE log_id = 2")
    assert (await check(database.owner_dsn, "active_tokens", log_id=1)).equal
    found = await check(database.owner_dsn, "active_tokens", log_id=2)
    assert {difference.key["log_id"] for difference in found.differences.first} == {2}
    assert not (await check(database.owner_dsn, "active_tokens")).equal


async def test_verification_compares_at_checkpoint_when_lagging(database, service, superuser):
    issuer = service.issuers[0]
    behind = (await issuer.streams.head()).position
    await issue_and_revoke(issuer, await issuer.clients.get("shop"), 5)
    found = await check(database.owner_dsn, "token_history", log_id=1)
    assert (found.equal, found.positions) == (True, {1: behind})


async def test_verification_waits_until_position_is_reached(database, service, superuser):
    issuer = service.issuers[0]
    await issue_and_revoke(issuer, await issuer.clients.get("shop"), 5)
    head = (await issuer.streams.head()).position
    verifying = asyncio.create_task(check(database.owner_dsn, "token_history", log_id=1, at=head))
    await asyncio.sleep(0)
    await service.catch_up()
    found = await verifying
    assert (found.equal, found.positions) == (True, {1: head})


async def test_verification_is_refused_when_position_is_not_reached(database, service, superuser, monkeypatch):
    monkeypatch.setattr(verification, "CATCH_UP_TIMEOUT_SECONDS", 0.0)
    issuer = service.issuers[0]
    await issue_and_revoke(issuer, await issuer.clients.get("shop"), 5)
    head = (await issuer.streams.head()).position
    with pytest.raises(BuildRefused, match="does a service follow it"):
        await check(database.owner_dsn, "token_history", log_id=1, at=head)
    with pytest.raises(
        PositionBeyondHead, match=f"position {head + 1} is beyond the head of the log, which is at {head}"
    ):
        await check(database.owner_dsn, "token_history", log_id=1, at=head + 1)


async def test_verification_leaves_no_tables_even_when_it_fails(database, superuser, monkeypatch):
    async def failing(*_arguments):
        msg = "no"
        raise RuntimeError(msg)

    before = await superuser.fetchval("SELECT count(*) FROM pg_class WHERE relpersistence = 't'")
    await check(database.owner_dsn, "token_history")
    with monkeypatch.context() as patched:
        patched.setattr(tables, "analyze", failing)
        with pytest.raises(RuntimeError):
            await check(database.owner_dsn, "token_history")
    gone = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'token-ledger builds'"
    async with asyncio.timeout(60):
        while await superuser.fetchval(gone):  # noqa: ASYNC110 (only the server knows)
            await asyncio.sleep(0.01)
    assert await superuser.fetchval("SELECT count(*) FROM pg_class WHERE relpersistence = 't'") == before


async def test_verification_is_refused_when_rows_have_another_version(database, superuser):
    class Newer(TokenHistoryProjection):
        version = 2

    with pytest.raises(BuildRefused, match="are of version 1, this release has version 2"):
        await check(database.owner_dsn, Newer(EventMapper()))


async def test_swap_waits_when_a_verification_is_running(database, service, superuser, monkeypatch):
    """Otherwise the snapshot of the verification would see the new tables without their rows."""
    monkeypatch.setattr("projections.rebuilding.swap.RETRY_SECONDS", 0.02)
    begun, go_on = asyncio.Event(), asyncio.Event()
    analyze = tables.analyze

    async def wait(connection, projection, schema):
        if schema == tables.TEMPORARY:
            begun.set()
            await go_on.wait()
        await analyze(connection, projection, schema)

    monkeypatch.setattr(tables, "analyze", wait)
    verifying = asyncio.create_task(check(database.owner_dsn, "active_tokens"))
    await begun.wait()
    told = []
    building = asyncio.create_task(build(database.owner_dsn, "active_tokens", report=told.append))
    async with asyncio.timeout(60):
        while not any("in use" in line for line in told):  # noqa: ASYNC110 (only the server knows)
            await asyncio.sleep(0.01)
    go_on.set()
    assert (await verifying).equal
    assert (await building).events


@pytest.mark.parametrize("name", ["active_tokens", "token_history"])
async def test_sample_finds_the_same_differences_in_its_streams(database, superuser, name):
    table = of(name).tables[0]
    everything = await superuser.fetchval("SELECT max(position) FROM log_head")
    assert (await check(database.owner_dsn, name, sample=1)).equal
    found = await check(database.owner_dsn, name, sample=10 * everything)
    assert found.equal
    assert found.events == await superuser.fetchval("SELECT sum(position) FROM log_head")
    await superuser.execute(f"UPDATE {table} SET subject = 'eve' WHERE {of_one(table)}")  # noqa: S608
    spared = of_one(table, "subject <> 'eve'")
    await superuser.execute(f"DELETE FROM {table} WHERE {spared}")  # noqa: S608
    found = await check(database.owner_dsn, name, sample=10 * everything)
    assert found.differences.count == 2


async def test_sample_is_refused_when_rows_span_streams(database, superuser):
    with pytest.raises(BuildRefused, match="without --sample"):
        await check(database.owner_dsn, "clients", sample=5)
