"""Rows of expired tokens are removed while the service runs, and verification allows for it."""

import asyncio
import re

import pytest
from service_process import USER, FollowerProcess, run_command, wait_until

from tests.integration.histories import record_expired

ISSUER = "http://localhost:8085/ms-auth-server"
ROWS = "SELECT count(*) FROM active_tokens"
SWEEP = ("--sweep-seconds", "1")


def read_metric(service, metric: str) -> float:
    """Return a metric, summed over the processes of the service."""
    values = re.findall(rf"^{metric}(?:{{.*}})? (\S+)$", service.get("/metrics").body.decode(), re.MULTILINE)
    assert values, metric
    return sum(map(float, values))


def verify_active_tokens(database) -> None:
    done = run_command("projections", "verify", "active_tokens", "--dsn", database.service_dsn)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def record_expired_tokens(database):
    """Record tokens that expired some minutes ago."""
    return lambda count: asyncio.run(record_expired(database.service_dsn, count, log="ms-auth-server"))


@pytest.fixture
def demo_flags(database):
    return ("--demo", "--dsn", database.service_dsn)


def test_service_removes_and_counts_expired_rows(start, database, demo_flags, record_expired_tokens, query_value):
    service = start(*demo_flags, *SWEEP).wait_until_ready()
    tokens = [*record_expired_tokens(200), *record_expired_tokens(50)]
    live = USER.request_token(service)
    verify_active_tokens(database)
    wait_until(lambda: query_value(ROWS) == 1, "one row left")
    verify_active_tokens(database)
    wait_until(lambda: read_metric(service, "token_ledger_sweep_rows_deleted_total") == len(tokens))
    assert read_metric(service, "token_ledger_sweep_batches_total") >= 1
    wait_until(lambda: 0 <= read_metric(service, "token_ledger_sweep_lag_seconds") < 60)
    USER.revoke(service, tokens[0])
    USER.revoke(service, live)
    assert query_value(ROWS) == 0
    assert service.stop() == 0
    assert not service.events("background task failed")


def test_follower_sweeps_when_the_service_does_not(start, database, demo_flags, record_expired_tokens, query_value):
    service = start(*demo_flags, "--sweep-seconds", "0").wait_until_ready()
    record_expired_tokens(20)
    assert read_metric(service, "token_ledger_sweep_batches_total") == 0
    assert query_value(ROWS) == 20
    with FollowerProcess("--dsn", database.service_dsn, "--issuers", ISSUER, *SWEEP) as follower:
        follower.wait_until_ready()
        wait_until(lambda: query_value(ROWS) == 0, "no rows left")
        wait_until(lambda: read_metric(follower, "token_ledger_sweep_rows_deleted_total") == 20)
        assert follower.stop() == 0
    assert read_metric(service, "token_ledger_sweep_batches_total") == 0


def test_only_one_worker_sweeps_each_row(start, demo_flags, record_expired_tokens, query_value):
    service = start(*demo_flags, *SWEEP, "--workers", "2").wait_until_ready(2)
    record_expired_tokens(300)
    wait_until(lambda: query_value(ROWS) == 0, "no rows left")
    wait_until(lambda: read_metric(service, "token_ledger_sweep_rows_deleted_total") == 300)
    assert service.stop() == 0
