"""The projections commands rebuild, verify, replay and diff as processes: under load, and killed at any point."""

import asyncio
import json
import random
import signal
import subprocess
import time
from contextlib import suppress

import pytest
from service_process import (
    RESOURCE_SERVER,
    TIMEOUT_SECONDS,
    USER,
    run_command,
    run_json_command,
    start_command,
    wait_until,
)
from token_load import TokenLoad

from benchmarks.filled_log import fill_log
from ledger.domain.events import TokenIssued, TokenRevoked
from ledger.domain.recording import EventMapper
from projections.catalogue import PROJECTIONS

NAMES = [declaration.name for declaration in PROJECTIONS]
TOKENS = 24_000
KILLS = 6


@pytest.fixture
def history(database):
    return asyncio.run(fill_log(database.owner_dsn, "ms-auth-server", tokens=TOKENS))


def rebuilding(database, name: str) -> subprocess.Popen[bytes]:
    words = ("projections", "rebuild", name, "--owner-dsn", database.owner_dsn)
    return start_command(*words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def verified(database, name: str) -> bool:
    done = run_command("projections", "verify", name, "--dsn", database.service_dsn)
    assert done.returncode in {0, 1}, done.stderr
    return done.returncode == 0


def folded(rows) -> tuple[set[bytes], dict[bytes, int], dict[bytes, int]]:
    """Fold a log independently: digests of active tokens, and the positions of each issuance and revocation."""
    active, issued, revoked = set(), {}, {}
    decode = EventMapper().decode_payload
    for row in rows:
        match decode(row["topic"], row["schema_version"], row["payload"]):
            case TokenIssued() as event:
                active.add(event.digest)
                issued[event.digest] = row["position"]
            case TokenRevoked() as event:
                active.discard(event.digest)
                revoked[event.digest] = row["position"]
    return active, issued, revoked


@pytest.mark.parametrize("name", ["active_tokens", "token_history"])
def test_rebuild_is_resumed_without_harm_when_killed_at_any_point(database, history, query, name):
    started = time.monotonic()
    assert rebuilding(database, name).wait(TIMEOUT_SECONDS) == 0
    usual = time.monotonic() - started
    chance = random.Random(seed := random.randrange(2**32))  # noqa: S311 (when to kill, not a secret)
    killed = 0
    for number in range(KILLS):
        process = rebuilding(database, name)
        delay = chance.uniform(0.2, 1.0) * usual
        if number == 0:  # during the build, however long it takes
            wait_until(lambda process=process: process.poll() is not None or query("SELECT FROM projection_builds"))
        else:
            with suppress(subprocess.TimeoutExpired):
                process.wait(delay)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.wait(TIMEOUT_SECONDS)
        assert verified(database, name), f"seed {seed}, killed after {delay:.2f} s"
    done = run_command("projections", "rebuild", name, "--owner-dsn", database.owner_dsn)
    assert done.returncode == 0, f"seed {seed}: {done.stderr}"
    assert killed, f"seed {seed}: every rebuild was through before it was killed"
    active, issued, revoked = folded(query("SELECT * FROM event_log ORDER BY position"))
    if name == "active_tokens":
        assert {row["digest"] for row in query("SELECT digest FROM active_tokens")} == active
    else:
        rows = query("SELECT digest, issued_position, revoked_position FROM token_history")
        assert {row["digest"]: row["issued_position"] for row in rows} == issued
        assert {row["digest"]: row["revoked_position"] for row in rows if row["revoked_position"]} == revoked
    assert query("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'build%'") == []


def test_requests_succeed_while_projections_are_rebuilt(demo, database):
    load = TokenLoad(demo, USER, RESOURCE_SERVER)
    with load.running():
        for name in NAMES * 2:
            rebuilt = run_json_command("projections", "rebuild", name, "--owner-dsn", database.owner_dsn)
            assert rebuilt["projection"] == name
            assert verified(database, name)
        wait_until(lambda: load.failures or len(load.active) > 10)
    load.assert_tokens_are_as_responded()
    head = json.loads(run_command("log", "verify", "--dsn", database.service_dsn, "--json").stdout)["head"]["position"]
    for name in NAMES:
        found = run_json_command("projections", "verify", name, "--dsn", database.service_dsn, "--at", str(head))
        assert (found["equal"], found["positions"]) == (True, {"1": head})


def test_verify_exits_with_1_and_the_row_when_it_was_altered(demo, database, query):
    USER.request_token(demo)
    query("UPDATE active_tokens SET scope = 'admin'")
    query("UPDATE clients SET document = document || '{\"enabled\": 1}' WHERE client_id = 'auditor'")
    done = run_command("projections", "verify", "active_tokens", "--dsn", database.service_dsn)
    assert done.returncode == 1
    heading, row, _, last = done.stdout.splitlines()
    assert heading.split() == ["TABLE", "ROW", "KEY", "COLUMNS"]
    assert row.startswith("active_tokens  differs  log_id=1 digest=\\x")
    assert "scope: " in row
    assert row.rstrip().endswith("-> admin")
    assert last.startswith("active_tokens does NOT match the log: 1 row differs; ")
    clients = run_command("projections", "verify", "clients", "--dsn", database.service_dsn)
    assert clients.returncode == 1
    assert "document: (not shown) -> (not shown)" in clients.stdout
    assert "argon2" not in clients.stdout
    assert run_command("projections", "rebuild", "clients", "--owner-dsn", database.owner_dsn).returncode == 0
    assert verified(database, "clients")


def test_rebuild_dry_run_estimates_and_changes_nothing(database, history, query):
    tables = "SELECT oid, relnamespace FROM pg_class WHERE relname = 'token_history'"
    before = query(tables)
    done = run_command("projections", "rebuild", "token_history", "--dry-run", "--owner-dsn", database.owner_dsn)
    assert done.returncode == 0, done.stderr
    assert "token_history, version 1" in done.stdout
    assert f"{history.events:,} events" in done.stdout
    assert done.stdout.endswith("nothing was changed\n")
    assert query(tables) == before
    assert query("SELECT * FROM projection_builds") == []


def test_replay_and_diff_show_the_past_of_a_projection(demo, database):
    first = USER.request_token(demo)
    before = run_json_command("log", "stats", "--dsn", database.service_dsn)["position"]
    USER.revoke(demo, first)
    then = run_command(
        "projections", "replay", "active_tokens", "--until", str(before), "--into", "then",
        "--owner-dsn", database.owner_dsn,
    )  # fmt: skip
    assert then.stdout.splitlines() == [
        f'active_tokens as of position {before} is in "then".active_tokens',
        'to remove it: DROP SCHEMA "then" CASCADE',
    ]
    points = ("--from", str(before), "--to", str(before + 1))
    found = run_json_command("projections", "diff", "active_tokens", *points, "--dsn", database.service_dsn)
    assert found["differences"]["count"] == 1
    assert found["differences"]["first"][0]["after"] is None
    said = run_command("projections", "diff", "active_tokens", *points, "--dsn", database.service_dsn)
    assert said.stdout.splitlines()[-1] == f"1 row of active_tokens changed from position {before} to {before + 1}"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("rebuild", "nothing"), 1, "the projections are active_tokens, clients, token_history, event_index"),
        (("verify", "clients", "--at", "5"), 1, "there is no log 'ms-auth-server' in this database"),
        (("diff", "clients", "--from", "1", "--to", "noon"), 2, "--to: 'noon' is not an instant"),
        (("diff", "clients", "--from", "1", "--to", "2026-01-01"), 1, "there is no log 'ms-auth-server'"),
    ],
)
def test_projection_command_is_refused_with_a_reason(database, words, code, message):
    done = run_command("projections", *words, "--owner-dsn", database.owner_dsn)
    assert done.returncode == code
    assert message in done.stderr


def test_verify_names_the_owner_dsn_without_temporary_tables(database, query):
    query(f"REVOKE TEMPORARY ON DATABASE {database.name} FROM PUBLIC")
    done = run_command("projections", "verify", "clients", "--dsn", database.service_dsn)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "permission denied to create temporary tables" in done.stderr
    assert "--owner-dsn (TOKEN_LEDGER_OWNER_DSN)" in done.stderr
    as_told = run_command("projections", "verify", "clients", "--owner-dsn", database.owner_dsn)
    assert as_told.returncode == 0, as_told.stderr


def test_migrate_builds_projections_of_a_newer_version(database, history, query, start):
    assert rebuilding(database, "active_tokens").wait(TIMEOUT_SECONDS) == 0
    query("UPDATE projection_versions SET version = 0 WHERE projection = 'active_tokens'")
    query("DELETE FROM active_tokens")
    service = start("--dsn", database.service_dsn)
    service.wait_for_event("serving")
    refused = service.get("/readyz")
    assert refused.status == 503
    assert (
        b"active_tokens has version 0 in this database, this release has 1: run 'token-ledger migrate'" in refused.body
    )
    done = run_command("migrate", "--owner-dsn", database.owner_dsn)
    assert done.returncode == 0, done.stderr
    assert "building version 1 of active_tokens; the older version serves meanwhile" in done.stderr
    assert verified(database, "active_tokens")
    assert service.get("/readyz").status == 200
