"""Rows of expired tokens leave while the real service runs, and the real commands know that they may."""

import asyncio
import re
import time

import asyncpg
import pytest
from service_process import USER, FollowerProcess, run_command

from tests.integration.expiring import record_expired

ISSUER = "http://localhost:8085/ms-auth-server"


def rows_left(database) -> int:
    async def count() -> int:
        connection = await asyncpg.connect(database.superuser_dsn)
        try:
            return await connection.fetchval("SELECT count(*) FROM active_tokens")
        finally:
            await connection.close()

    return asyncio.run(count())


def wait_for_rows(database, left: int) -> None:
    deadline = time.monotonic() + 60
    while (found := rows_left(database)) != left:
        assert time.monotonic() < deadline, f"{found} rows are there"


def counted(service, metric: str) -> float:
    (value,) = re.findall(rf"^{metric}(?:{{.*}})? (\S+)$", service.get("/metrics").body.decode(), re.MULTILINE)
    return float(value)


def verified(database) -> str:
    done = run_command("projections", "verify", "active_tokens", "--dsn", database.service_dsn)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def expired(database):
    """Records tokens that expired some minutes ago."""
    return lambda count: asyncio.run(record_expired(database.service_dsn, count, log="ms-auth-server"))


def test_a_service_removes_what_has_expired_and_counts_it(start, database, expired):
    service = start("--demo", "--dsn", database.service_dsn, "--sweep-seconds", "1").ready()
    tokens = [*expired(200), *expired(50)]
    live = USER.token(service)
    verified(database)
    wait_for_rows(database, 1)
    verified(database)
    assert counted(service, "token_ledger_sweep_rows_deleted_total") == len(tokens)
    assert counted(service, "token_ledger_sweep_batches_total") >= 1
    assert 0 <= counted(service, "token_ledger_sweep_lag_seconds") < 60
    USER.revoke(service, tokens[0])
    USER.revoke(service, live)
    assert rows_left(database) == 0
    assert service.stop() == 0
    assert not service.events("expired rows are not swept")


def test_switched_off_it_leaves_them_to_who_follows(start, database, expired):
    service = start("--demo", "--dsn", database.service_dsn, "--sweep-seconds", "0").ready()
    expired(20)
    assert counted(service, "token_ledger_sweep_batches_total") == 0
    assert rows_left(database) == 20
    with FollowerProcess("--dsn", database.service_dsn, "--issuers", ISSUER, "--sweep-seconds", "1") as follower:
        follower.ready()
        wait_for_rows(database, 0)
        assert counted(follower, "token_ledger_sweep_rows_deleted_total") == 20
        assert follower.stop() == 0
    assert counted(service, "token_ledger_sweep_batches_total") == 0


def test_of_several_workers_one_at_a_time_sweeps(start, database, expired):
    service = start("--demo", "--dsn", database.service_dsn, "--sweep-seconds", "1", "--workers", "2").ready(2)
    expired(300)
    wait_for_rows(database, 0)
    text = service.get("/metrics").body.decode()
    assert sum(map(float, re.findall(r"^token_ledger_sweep_rows_deleted_total{.*} (\S+)$", text, re.MULTILINE))) == 300
    assert service.stop() == 0
