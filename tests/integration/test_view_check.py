"""The comparison of the views with the log finds every tampered row within a round, and nothing else."""

import asyncio

import asyncpg
import pytest
from structlog.testing import capture_logs

from ledger.domain.errors import Unavailable
from ledger.postgres import database as connections
from ledger.postgres.database import Database
from ledger.postgres.logs import Log
from projections import view_check
from projections.view_check import ViewCheck
from tests.breaking_proxy import BreakingProxy
from tests.integration.conftest import CAUSE, register_client
from tests.integration.histories import build, issue_and_revoke, record_expired, write_some_history

TOKEN = "(SELECT jti FROM token_history WHERE log_id = 1 AND revoked_position IS NULL ORDER BY 1 LIMIT 1)"
REVOKED = "(SELECT jti FROM token_history WHERE log_id = 1 AND revoked_position IS NOT NULL ORDER BY 1 LIMIT 1)"

FORGE = f"""
INSERT INTO active_tokens
SELECT log_id, sha256('forged'), {{jti}}, 'shop', 'shop', '', '{{{{shop}}}}', issued_at, expires_at
  FROM active_tokens WHERE jti = {TOKEN}
"""  # noqa: S608
BRING_BACK = f"""
INSERT INTO active_tokens
SELECT log_id, digest, jti, client_id, subject, scope, string_to_array(audience, ' '),
       extract(epoch FROM issued_at)::bigint, extract(epoch FROM expires_at)::bigint
  FROM token_history WHERE jti = {REVOKED}
"""  # noqa: S608
PLANT_SECRET = """
UPDATE clients SET document = jsonb_set(document, '{secrets}', document -> 'secrets' || '[{"secret_id": "0badc0de",
       "kind": "sha256", "hash": "planted", "created_at": "2026-01-01T00:00:00Z", "expires_at": null}]')
 WHERE log_id = 1 AND client_id = 'shop'
"""
HIDE_REVOCATION = f"""
UPDATE token_history SET revoked_position = NULL, revoked_at = NULL, revoked_recorded_at = NULL, revoked_by = NULL,
       revoked_request_id = NULL, revoked_from = NULL, revocation_reason = NULL WHERE jti = {REVOKED}
"""  # noqa: S608
COPY_CLIENT = """
INSERT INTO clients SELECT log_id, '{0}', stream_version, document FROM clients WHERE log_id = 1 AND client_id = 'shop'
"""
COPY_HISTORY = f"""
CREATE TEMP TABLE forged AS SELECT * FROM token_history WHERE jti = {TOKEN};
UPDATE forged SET issued_position = {{position}}, digest = sha256('forged');
INSERT INTO token_history SELECT * FROM forged;
"""  # noqa: S608

TAMPERINGS = {
    "forged token": (FORGE.format(jti="gen_random_uuid()"), "active_tokens", "is not in the log"),
    "forged token of a recorded stream": (FORGE.format(jti=TOKEN), "active_tokens", "is not in the log"),
    "revoked token": (BRING_BACK, "active_tokens", "is not in the log"),
    "missing token": (f"DELETE FROM active_tokens WHERE jti = {TOKEN}", "active_tokens", "is missing"),  # noqa: S608
    "longer lifetime": (
        f"UPDATE active_tokens SET expires_at = expires_at + 1 WHERE jti = {TOKEN}",  # noqa: S608
        "active_tokens",
        "differs in expires_at",
    ),
    "wider scope": (
        f"UPDATE active_tokens SET scope = 'admin' WHERE jti = {TOKEN}",  # noqa: S608
        "active_tokens",
        "differs in scope",
    ),
    "planted secret": (PLANT_SECRET, "clients", "differs in document"),
    "enabled client": (
        "UPDATE clients SET document = document || '{\"enabled\": true}' WHERE log_id = 1 AND client_id = 'depot'",
        "clients",
        "differs in document",
    ),
    "older client": ("UPDATE clients SET stream_version = 1 WHERE log_id = 1 AND client_id = 'shop'", "clients", None),
    "missing client": ("DELETE FROM clients WHERE log_id = 1 AND client_id = 'shop'", "clients", "is missing"),
    "planted client": (COPY_CLIENT.format("extra"), "clients", "is not in the log"),
    "hidden revocation": (HIDE_REVOCATION, "token_history", None),
    "missing history": (f"DELETE FROM token_history WHERE jti = {TOKEN}", "token_history", "is missing"),  # noqa: S608
    "other actor": (
        f"UPDATE token_history SET issued_by = 'client:x' WHERE jti = {TOKEN}",  # noqa: S608
        "token_history",
        "differs in issued_by",
    ),
    "history before the log": (COPY_HISTORY.format(position=-7), "token_history", "is not in the log"),
    "history of another event": (COPY_HISTORY.format(position=1), "token_history", "is not in the log"),
    "history after the log": (COPY_HISTORY.format(position=10**9), "token_history", "is not in the log"),
}


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch):
    monkeypatch.setattr(view_check, "rest_seconds", lambda **_: 0.0)
    monkeypatch.setattr(view_check, "REST_PER_WORK", 0.0)
    monkeypatch.setattr(view_check, "PAGE_ROWS", 5)


@pytest.fixture
async def check(database):
    """The comparison of the first log."""
    connected = Database(database.service_dsn)
    yield ViewCheck([Log(connected, "first")], within=60.0)
    await connected.close()


async def result_of(service):
    return next(iter(await service.verification()), None)


async def run_round(check, superuser) -> list[dict]:
    """Take steps until a round is complete; return what it logged."""
    await superuser.execute("UPDATE view_checks SET verified_at = NULL, view = NULL, after = NULL, differences = 0")
    with capture_logs() as logs:
        while not await superuser.fetchval("SELECT verified_at IS NOT NULL FROM view_checks WHERE log_id = 1"):
            await check.step()
    return [log for log in logs if log["event"] == "view differs from log"]


@pytest.mark.parametrize("tampering", TAMPERINGS)
async def test_tampered_row_is_found_within_a_round(tampering, service, check, superuser):
    statement, projection, found = TAMPERINGS[tampering]
    await write_some_history(service)
    assert await run_round(check, superuser) == []
    assert (await result_of(service)).differences == 0
    await superuser.execute(statement)
    (line,) = await run_round(check, superuser)
    assert (line["log_level"], line["log"], line["projection"]) == ("error", "first", projection)
    assert found in {None, line["found"]}
    result = await result_of(service)
    assert result.differences == 1
    assert result.first_differences == [f"{projection} {line['key']}: {line['found']}"]
    assert "planted" not in str((line, result)), "values are not shown"
    assert await service.problems() == [], "a difference does not turn readiness off"


async def test_result_is_clean_again_after_a_rebuild(database, service, check, superuser):
    await write_some_history(service)
    await superuser.execute(BRING_BACK)
    assert len(await run_round(check, superuser)) == 1
    await build(database.owner_dsn, "active_tokens")
    assert await run_round(check, superuser) == []
    assert (await result_of(service)).differences == 0


async def test_nothing_is_found_in_honest_history_under_load(database, service, check, superuser):
    """Tokens are issued, revoked, expired and swept, clients change, and a view is rebuilt while rounds run."""
    issuer = service.issuers[0]
    client = await register_client(issuer)
    service.sweep(60.0)
    service.follow()
    done = asyncio.Event()

    async def write() -> None:
        for number in range(15):
            await issue_and_revoke(issuer, client, 7)
            await record_expired(database.service_dsn, 5)
            await issuer.registry.add_generated_secret((await register_client(issuer, f"c{number}")).client_id, CAUSE)
            await issuer.registry.disable(f"c{number}", "closed", CAUSE)
        await build(database.owner_dsn, "active_tokens")
        done.set()

    writing = asyncio.create_task(write())
    rounds = 0
    while not done.is_set() or rounds < 2:
        assert await run_round(check, superuser) == []
        rounds += 1
    await writing
    result = await result_of(service)
    assert result.differences == 0
    assert result.rows > 0
    assert result.age_seconds is not None


async def test_one_process_compares_a_log_at_a_time(database, service, check, superuser):
    await write_some_history(service)
    await check.step()
    async with superuser.transaction():
        await superuser.execute("SELECT FROM view_checks FOR UPDATE")
        before = await superuser.fetchrow("SELECT * FROM view_checks")
        assert await check.step() >= 1
    assert await superuser.fetchrow("SELECT * FROM view_checks") == before


async def test_first_page_is_retried_when_another_process_takes_it(service, check, superuser):
    await write_some_history(service)
    async with superuser.transaction():
        await superuser.execute("SELECT take_view_check(1)")
        waiting = asyncio.create_task(check.step())
        while not await superuser.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    with pytest.raises(asyncpg.SerializationError):  # `run` retries
        await waiting
    assert await check.step() == 0.0


async def test_next_page_waits_until_it_is_due(service, check, superuser, monkeypatch):
    monkeypatch.setattr(view_check, "rest_seconds", lambda **_: 30.0)
    await write_some_history(service)
    assert await check.step() == 30.0
    before = await superuser.fetchrow("SELECT * FROM view_checks")
    assert 20 < await check.step() <= 30
    assert await superuser.fetchrow("SELECT * FROM view_checks") == before


async def test_two_processes_share_rounds(start_process, superuser):
    here, there = await start_process(), await start_process()
    await write_some_history(here, 30)
    with capture_logs() as logs:
        for service in (here, there):
            service.verify(60.0)
        await wait_for_round(superuser)
    assert [log for log in logs if log["log_level"] == "error"] == []
    assert [result.differences for result in await here.verification()] == [0, 0]


async def test_comparison_continues_when_database_was_away(database, start_process, superuser, monkeypatch):
    monkeypatch.setattr(connections, "PAUSE_AFTER_REFUSAL", 0.0)
    monkeypatch.setattr(view_check, "POLL_SECONDS", 0.01)
    async with BreakingProxy(database.service_dsn).running() as proxy:
        service = await start_process(proxy.dsn)
        await write_some_history(service)
        service.verify(60.0)
        await wait_for_round(superuser)
        proxy.refusing = True
        for writer in proxy._writers:
            writer.transport.abort()
        with pytest.raises(Unavailable):
            await service.verification()
        await superuser.execute("UPDATE view_checks SET verified_at = NULL")
        proxy.refusing = False
        await wait_for_round(superuser)
        await service.close()


async def wait_for_round(superuser) -> None:
    """Wait for a round of both logs."""
    async with asyncio.timeout(60):
        while await superuser.fetchval("SELECT count(verified_at) FROM view_checks") < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_archived_tokens_are_left_out(database, service, check, superuser):
    """As archiving leaves it: the range is recorded, and the events of closed grants are gone."""
    await write_some_history(service)
    await superuser.execute(
        """
        INSERT INTO log_archives SELECT 1, 1, max(position), now(), 'f', '', '', '', now(), now(), now()
          FROM event_log WHERE log_id = 1;
        DELETE FROM event_log WHERE log_id = 1
           AND stream_id IN (SELECT stream_id FROM event_log WHERE topic = 'token.revoked');
        """
    )
    assert await run_round(check, superuser) == []
    await superuser.execute(FORGE.format(jti="gen_random_uuid()"))
    assert [log["found"] for log in await run_round(check, superuser)] == ["is not in the log"]


@pytest.mark.parametrize("move", ["position + 3", "position - 1"])
async def test_service_is_not_ready_when_head_and_events_disagree(service, client, superuser, move):
    assert await service.problems() == []
    await superuser.execute(f"UPDATE log_head SET position = {move}")  # noqa: S608
    assert [problem for problem in await service.problems() if "The log first has its head at position" in problem]
