"""A follower applies each event once, in one process at a time, and stops at an event that it cannot apply."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest

from ledger.domain.errors import Unavailable
from ledger.domain.recording import EventMapper
from ledger.postgres.database import Database
from ledger.postgres.logs import Log
from ledger.postgres.notifications import LogNotifications
from ledger.use_cases.audit import NotCaughtUp, TokenQuery
from projections.audit import checkpoint as history_checkpoint
from projections.following import batches, follower
from projections.following import lease as checkpoint
from projections.following.batches import EventNotApplied
from projections.following.follower import Follower
from projections.following.lease import LeaseLost, VersionMismatch
from projections.token_history import TokenHistoryProjection
from tests.integration.conftest import CAUSE, ISSUER, register_client
from tests.integration.followers import Failing, until

NAME = TokenHistoryProjection.name


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(follower, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(follower, "GATHER_SECONDS", 0.0)


@pytest.fixture
async def parts(database):
    """A log and its notifications, for followers."""
    made = Database(database.service_dsn)
    notifications = LogNotifications(database.service_dsn)
    yield Log(made, ISSUER.log_name), notifications
    await notifications.close()
    await made.close()


@pytest.fixture
def make_follower(parts):
    log, notifications = parts
    return lambda projection=None, holder="test": Follower(
        log, projection or TokenHistoryProjection(EventMapper()), notifications, holder=holder
    )


async def issue(issuer, client, count=1):
    return [await issuer.issuance.issue_token(client, None, CAUSE) for _ in range(count)]


async def history(superuser):
    return [str(row["jti"]) for row in await superuser.fetch("SELECT jti FROM token_history ORDER BY issued_position")]


async def status(superuser):
    return await superuser.fetchrow("SELECT * FROM projection_checkpoints")


async def test_follower_releases_lease_when_it_has_caught_up(make_follower, issuer, client, superuser):
    issued = await issue(issuer, client, 3)
    assert await make_follower().catch_up()
    assert await history(superuser) == [token.jti for token in issued]
    row = await status(superuser)
    assert (row["position"], row["holder"], row["lease_until"]) == (issued[-1].position, None, None)


async def test_events_are_applied_in_batches_when_log_is_long(make_follower, issuer, client, superuser, monkeypatch):
    monkeypatch.setattr(batches, "BATCH_SIZE", 2)
    issued = await issue(issuer, client, 5)
    assert await make_follower().catch_up()
    assert await history(superuser) == [token.jti for token in issued]


async def test_checkpoint_advances_when_events_are_of_other_topics(make_follower, issuer, client, superuser):
    await register_client(issuer, "other")
    assert await make_follower().catch_up()
    assert (await status(superuser))["position"] == 2


async def test_follower_does_nothing_when_log_does_not_exist(make_follower, superuser):
    assert not await make_follower().catch_up()
    assert await status(superuser) is None


async def test_token_is_complete_when_issued_and_revoked_in_one_batch(make_follower, issuer, client, superuser):
    (token,) = await issue(issuer, client)
    await issuer.revocation.revoke_token(client, token.access_token, CAUSE)
    assert await make_follower().catch_up()
    row = await superuser.fetchrow("SELECT * FROM token_history")
    assert (row["issued_position"], row["revoked_position"]) == (2, 3)
    assert row["revoked_by"] == CAUSE.actor


async def test_running_follower_applies_events_as_they_are_recorded(service, issuer, client):
    service.follow()
    for _ in range(3):
        (token,) = await issue(issuer, client)
        moment = await issuer.audit.moments.resolve(min_position=token.position)
        page = await issuer.audit.tokens.find_tokens(TokenQuery(), moment, before=None, limit=1)
        assert str(page.tokens[0].jti) == token.jti


async def test_running_follower_recovers_when_connections_are_cut(service, issuer, client, superuser):
    service.follow()
    (token,) = await issue(issuer, client)
    await issuer.audit.moments.resolve(min_position=token.position)
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'token-ledger'"
    await superuser.execute(cut)
    for _ in range(1200):
        with suppress(Exception):
            (token,) = await issue(issuer, client)
            await issuer.audit.moments.resolve(min_position=token.position)
            return
        await asyncio.sleep(0.05)
    pytest.fail("the follower did not reconnect")


async def test_running_follower_polls_when_notifications_are_lost(service, issuer, client, monkeypatch):
    monkeypatch.setattr(LogNotifications, "_on_notify", lambda *_: None)
    monkeypatch.setattr(follower, "POLL_WITHOUT_NOTIFICATIONS_SECONDS", 0.02)
    monkeypatch.setattr(follower, "POLL_SECONDS", 0.02)
    service.follow()
    (token,) = await issue(issuer, client)
    assert (await issuer.audit.moments.resolve(min_position=token.position)).position >= token.position


async def test_read_is_refused_for_now_when_no_process_follows(issuer, client, monkeypatch):
    monkeypatch.setattr(history_checkpoint, "CATCH_UP_TIMEOUT_SECONDS", 0.05)
    (token,) = await issue(issuer, client)
    with pytest.raises(NotCaughtUp, match=str(token.position)):
        await issuer.audit.moments.resolve(min_position=token.position)


async def test_events_are_applied_once_when_two_processes_follow(start_process, client, superuser):
    processes = [await start_process() for _ in range(2)]
    for process in processes:
        process.follow()
    writers = [process.issuers[0] for process in processes]
    batches = await asyncio.gather(*(issue(issuer, client, 40) for issuer in writers for _ in range(3)))
    last = max(token.position for batch in batches for token in batch)
    await writers[0].audit.moments.resolve(min_position=last)
    issued = sorted((token for batch in batches for token in batch), key=lambda token: token.position)
    assert await history(superuser) == [token.jti for token in issued]
    counted = await superuser.fetchval("SELECT sum(issued) FROM token_activity WHERE unit = 60")
    assert counted == len(issued)


async def test_lease_is_taken_by_the_next_process_when_released(parts):
    log, _ = parts
    log_id = await log.ensure_id()
    first = await checkpoint.take_lease(log.database, log_id, NAME, 1, "first")
    assert await checkpoint.take_lease(log.database, log_id, NAME, 1, "second") is None
    await checkpoint.release_lease(log.database, first)
    second = await checkpoint.take_lease(log.database, log_id, NAME, 1, "second")
    assert second.token != first.token


async def test_lease_is_taken_by_the_next_process_when_expired(parts, superuser):
    log, _ = parts
    log_id = await log.ensure_id()
    assert await checkpoint.take_lease(log.database, log_id, NAME, 1, "killed")
    await superuser.execute("UPDATE projection_checkpoints SET lease_until = clock_timestamp() - interval '1 ms'")
    assert await checkpoint.take_lease(log.database, log_id, NAME, 1, "next")


async def test_follower_writes_nothing_when_it_has_lost_the_lease(make_follower, parts, issuer, client, superuser):
    """A paused process resumes after another process has taken the lease."""
    log, _ = parts
    paused = make_follower(holder="paused")
    lease = await paused._take()
    await superuser.execute("UPDATE projection_checkpoints SET lease_until = clock_timestamp() - interval '1 ms'")
    assert await checkpoint.take_lease(log.database, await log.find_id(), NAME, 1, "next")
    await issue(issuer, client)
    with pytest.raises(LeaseLost):
        await paused._applier.apply_batch(lease)
    assert await history(superuser) == []
    assert (await status(superuser))["holder"] == "next"
    await paused._release()
    assert (await status(superuser))["holder"] == "next"


async def test_lease_is_not_taken_when_a_batch_is_in_progress(parts, superuser):
    log, _ = parts
    log_id = await log.ensure_id()
    lease = await checkpoint.take_lease(log.database, log_id, NAME, 1, "slow")
    async with log.database.connection() as connection, connection.transaction():
        await checkpoint.lock_checkpoint(connection, lease)
        later = timedelta(seconds=-1)
        await connection.execute(checkpoint.SQL["advance"], log_id, NAME, lease.token, 0, later)
        assert await checkpoint.take_lease(log.database, log_id, NAME, 1, "next") is None
    assert await checkpoint.take_lease(log.database, log_id, NAME, 1, "next")


async def test_lease_is_taken_when_its_holder_is_paused_during_copy(parts, monkeypatch):
    """The server waits for the rows of a COPY as long as the connection exists; no timeout applies."""
    monkeypatch.setattr(checkpoint, "PAUSE_LIMIT", timedelta(seconds=0))
    monkeypatch.setattr(checkpoint, "LEASE_DURATION", timedelta(seconds=0.3))
    log, _ = parts
    log_id = await log.ensure_id()
    lease = await checkpoint.take_lease(log.database, log_id, NAME, 1, "paused")
    copying, over = asyncio.Event(), asyncio.Event()

    async def rows():
        copying.set()
        await over.wait()
        yield b""

    async def pause():
        async with log.database.connection() as connection, connection.transaction():
            await connection.execute(batches.TRANSACTION)
            await checkpoint.lock_checkpoint(connection, lease)
            await connection.copy_to_table("token_history", source=rows())

    paused = asyncio.create_task(pause())
    await copying.wait()
    assert await checkpoint.take_lease(log.database, log_id, NAME, 1, "next") is None, "its lease has not run out"

    async def taken_over():
        return await checkpoint.take_lease(log.database, log_id, NAME, 1, "next")

    await until(taken_over)
    over.set()
    with pytest.raises(Unavailable):
        await paused


async def test_session_is_not_terminated_when_it_is_working(parts, monkeypatch):
    monkeypatch.setattr(checkpoint, "PAUSE_LIMIT", timedelta(seconds=0))
    log, _ = parts
    async with log.database.connection() as connection, connection.transaction():
        await connection.execute(batches.TRANSACTION)
        async with log.database.connection() as other:
            await other.execute("SELECT pg_advisory_lock(1)")
            working = asyncio.create_task(connection.fetchval("SELECT pg_advisory_lock(1) IS NULL"))
            await until(lambda: other.fetchval("SELECT count(*) = 1 FROM pg_locks WHERE NOT granted"))
            for _ in range(5):
                await other.execute(checkpoint.SQL["end_paused"], checkpoint.APPLYING, checkpoint.PAUSE_LIMIT)
            await other.execute("SELECT pg_advisory_unlock(1)")
            assert await working is False
    async with log.database.connection() as connection:
        assert await connection.fetchval("SHOW application_name") == "token-ledger"


async def test_follower_stops_when_cancelled_as_its_connection_breaks(make_follower, issuer, client, monkeypatch):
    """A process that is told to stop while its database goes away still stops."""
    await issue(issuer, client)
    entered = asyncio.Event()

    class Interrupted(TokenHistoryProjection):
        async def fold(self, connection, log_id, events):
            entered.set()
            try:
                await asyncio.sleep(3600)
            finally:
                connection.terminate()  # so that the transaction cannot be rolled back

    following = asyncio.create_task(make_follower(Interrupted(EventMapper())).run())
    await entered.wait()
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asyncio.shield(following), 60)


async def test_follower_logs_once_and_waits_when_schema_is_too_old(make_follower, issuer, client, superuser, capsys):
    await issue(issuer, client)
    await superuser.execute("ALTER TABLE projection_skips RENAME TO not_yet")
    made, tries = make_follower(), []
    take = made._take
    made._take = lambda: tries.append(1) or take()
    following = asyncio.create_task(made.run())

    async def tried_again():
        return len(tries) > 2

    async def caught_up():
        return (await status(superuser))["position"] == 2

    await until(tried_again)
    await superuser.execute("ALTER TABLE not_yet RENAME TO projection_skips")
    await until(caught_up)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert capsys.readouterr().out.count("projection not followed") == 1


async def test_follower_refuses_when_rows_are_of_another_version(make_follower, issuer, client, superuser):
    assert await make_follower().catch_up()
    await superuser.execute("UPDATE projection_checkpoints SET version = 2")
    with pytest.raises(VersionMismatch, match="version 2 in this database, this release has 1"):
        await make_follower().catch_up()
    assert (await status(superuser))["lease_until"] is None


async def test_follower_records_where_it_stops_when_an_event_fails(make_follower, issuer, client, superuser):
    issued = await issue(issuer, client, 5)
    projection = Failing(issued[2].position)
    following = asyncio.create_task(make_follower(projection).run())

    async def stopped():
        row = await status(superuser)
        return row is not None and row["stopped_at"] is not None

    await until(stopped)
    row = await status(superuser)
    assert (row["stopped_at"], row["stopped_topic"]) == (issued[2].position, "token.issued")
    assert row["error"] == f"Failure: no such thing at {issued[2].position}"
    assert row["position"] == issued[1].position
    assert await history(superuser) == [token.jti for token in issued[:2]]

    projection.failing = ()  # a fixed release

    async def caught_up():
        return (await status(superuser))["position"] == issued[-1].position

    await until(caught_up)
    row = await status(superuser)
    assert (row["stopped_at"], row["error"]) == (None, None)
    assert await history(superuser) == [token.jti for token in issued]
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_follower_stops_when_an_event_cannot_be_decoded(make_follower, issuer, client, superuser):
    await issue(issuer, client)
    await superuser.execute(
        """
        INSERT INTO event_log (log_id, position, recorded_at, stream_id, stream_version, schema_version, topic, payload)
        SELECT log_id, 3, now(), gen_random_uuid(), 1, 1, 'token.issued', 'not json' FROM log_head
        """
    )
    with pytest.raises(EventNotApplied, match="CorruptPayload"):
        await make_follower().catch_up()


async def test_follower_stops_when_a_revoked_token_was_never_issued(make_follower, issuer, client, superuser):
    await issue(issuer, client)
    await make_follower().catch_up()
    await superuser.execute("DELETE FROM token_history")
    grant = (await issuer.streams.read(1, 1))[0]
    await issuer.revocation.revoke_by_jti(grant.stream_id, "lost", CAUSE)
    with pytest.raises(EventNotApplied, match=f"RevokedBeforeIssued: the token {grant.stream_id}"):
        await make_follower().catch_up()


async def test_error_does_not_quote_the_row_when_an_event_fails(make_follower, issuer, client, superuser):
    await issue(issuer, client)
    await make_follower().catch_up()
    await superuser.execute("UPDATE projection_checkpoints SET position = 0")
    with pytest.raises(EventNotApplied) as raised:
        await make_follower().catch_up()
    unique = 'duplicate key value violates unique constraint "token_history_pkey"'
    assert str(raised.value) == f"UniqueViolationError: {unique}"


async def test_lease_is_released_when_the_service_closes(start_process, client, superuser):
    process = await start_process()
    process.follow()
    (token,) = await issue(process.issuers[0], client)
    await process.issuers[0].audit.moments.resolve(min_position=token.position)
    assert (await status(superuser))["holder"]
    await process.close()
    assert (await status(superuser))["holder"] is None
