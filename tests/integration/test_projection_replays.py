"""Replay of a projection up to a point of its log, and its changes between two points."""

from datetime import timedelta

import pytest

from ledger.domain.recording import Cause
from ledger.use_cases.audit import AheadOfLog
from projections.rebuilding.errors import BuildRefused
from projections.rebuilding.replay import find_changes, replay_projection
from tests.integration.histories import NAMES, issue_and_revoke, of, rows, write_some_history


@pytest.fixture(autouse=True)
async def _history(service):
    await write_some_history(service)


async def in_schema(connection, schema, name):
    await connection.execute(f"SET search_path = {schema}")
    found = await rows(connection, name)
    await connection.execute("SET search_path = public")
    return found


def of_log(log_id, tables):
    return {table: [row for row in found if row[0] == log_id] for table, found in tables.items()}


@pytest.mark.parametrize("name", NAMES)
async def test_replay_equals_the_projection_at_that_point(database, service, superuser, name):
    then = of_log(1, await rows(superuser, name))
    issuer = service.issuers[0]
    head = await issuer.streams.head()
    await issue_and_revoke(issuer, await issuer.clients.get("shop"), 7)
    await service.catch_up()
    for schema, until in (("by_position", head.position), ("by_instant", head.recorded_at)):
        replayed = await replay_projection(database.owner_dsn, of(name), 1, until=until, schema=schema)
        assert (replayed.position, replayed.quoted) == (head.position, schema)
        assert await in_schema(superuser, schema, name) == then


async def test_replay_is_empty_when_instant_precedes_every_event(database, service, superuser):
    first = await superuser.fetchval("SELECT min(recorded_at) FROM event_log WHERE log_id = 1")
    replayed = await replay_projection(
        database.owner_dsn,
        of("clients"),
        1,
        until=first - timedelta(microseconds=1),
        schema="before",
    )
    assert replayed.position == 0
    assert await in_schema(superuser, "before", "clients") == {"clients": []}


async def test_replay_is_refused_when_schema_exists(database, superuser):
    for schema in ("public", "pg_mine", "information_schema"):
        with pytest.raises(BuildRefused, match=r"Schema \w+ (exists|cannot be created)"):
            await replay_projection(database.owner_dsn, of("clients"), 1, until=1, schema=schema)


async def test_replay_quotes_the_schema_name(database, superuser):
    name = 'x"; DROP TABLE clients; --'
    replayed = await replay_projection(database.owner_dsn, of("clients"), 1, until=1, schema=name)
    assert await superuser.fetchval(f"SELECT count(*) FROM {replayed.quoted}.clients") == 1  # noqa: S608
    assert await superuser.fetchval("SELECT count(*) FROM clients") == 4


async def test_replay_leaves_no_schema_when_it_fails(database, superuser):
    await superuser.execute("UPDATE event_log SET payload = '' WHERE log_id = 1 AND position = 9")
    with pytest.raises(BuildRefused, match="position 9 of log 1"):
        await replay_projection(database.owner_dsn, of("active_tokens"), 1, until=12, schema="then")
    assert await superuser.fetchval("SELECT to_regnamespace('then')") is None


async def test_replay_is_refused_when_point_is_ahead_of_the_log(database, service, superuser):
    head = (await service.issuers[0].streams.head()).position
    now = await superuser.fetchval("SELECT clock_timestamp()")
    for until in (head + 1, now + timedelta(hours=1)):
        with pytest.raises(AheadOfLog, match=r"is beyond the head|is in the future"):
            await replay_projection(database.owner_dsn, of("clients"), 1, until=until, schema="then")
    with pytest.raises(BuildRefused, match="no event was ever recorded"):
        await replay_projection(database.owner_dsn, of("clients"), 3, until=1, schema="then")


async def test_changes_between_two_points_are_found_row_by_row(database, service, superuser):
    issuer = service.issuers[0]
    client = await issuer.clients.get("shop")
    _, kept = await issue_and_revoke(issuer, client, 2)
    before = (await issuer.streams.head()).position
    await issuer.revocation.revoke_token(client, kept, Cause(actor="client:shop"))
    await issue_and_revoke(issuer, client, 2)
    after = (await issuer.streams.head()).position
    found = await find_changes(database.service_dsn, of("active_tokens"), 1, points=(before, after), limit=10)
    assert (found.first, found.last, found.differences.count) == (before, after, 2)
    deleted, added = sorted(found.differences.first, key=lambda difference: difference.before is None)
    assert (deleted.after, added.before) == (None, None)
    history = await find_changes(database.service_dsn, of("token_history"), 1, points=(before, after), limit=10)
    (revoked,) = [d for d in history.differences.first if d.table == "token_history" and d.before and d.after]
    assert revoked.before["revoked_position"] is None
    assert revoked.after["revoked_position"] == before + 1
    assert revoked.after["revoked_by"] == "client:shop"


async def test_changes_are_empty_for_one_point_and_need_order(database, superuser):
    found = await find_changes(database.service_dsn, of("clients"), 1, points=(5, 5), limit=10)
    assert found.differences.count == 0
    with pytest.raises(BuildRefused, match="give the earlier point as --from"):
        await find_changes(database.service_dsn, of("clients"), 1, points=(5, 4), limit=10)
