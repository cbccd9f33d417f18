"""The projections commands run, status and skip as processes: output, exit codes and signals."""

import json
import os
import re
import signal
import threading

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

POISON = """
INSERT INTO event_log (log_id, position, recorded_at, stream_id, stream_version, schema_version, topic, payload)
SELECT log_id, position + 1, now(), gen_random_uuid(), 1, 1, 'token.issued', 'no JSON' FROM log_head
"""
CHECKPOINT = "FROM projection_checkpoints WHERE projection = 'token_history'"
CAUGHT_UP = "SELECT bool_and(c.position = h.position) FROM log_head h JOIN projection_checkpoints c USING (log_id)"
GROWN = "UPDATE log_head SET position = position + 1"


@pytest.fixture
def projections(database):
    """Run a projections command."""
    return lambda *words: run_command("projections", *words, "--dsn", database.service_dsn)


def statuses(database) -> dict:
    found = run_command("projections", "status", "--json", "--dsn", database.service_dsn)
    return {status["projection"]: status for status in json.loads(found.stdout)["projections"]}


def test_status_explains_a_stopped_projection_and_skip_resumes_it(demo, database, projections, query_value):
    token = USER.request_token(demo)
    query_value(POISON, GROWN)
    position = query_value("SELECT position FROM log_head")
    after = USER.request_token(demo)
    wait_until(lambda: query_value(f"SELECT stopped_at {CHECKPOINT}") == position, demo.output)

    said = projections("status")
    assert said.returncode == 1
    assert "stopped" in said.stdout
    assert f"is stopped at position {position}, token.issued: CorruptPayload" in said.stdout
    assert "no JSON" not in said.stdout
    found = statuses(database)
    status = found["token_history"]
    assert (status["state"], status["stopped"]["position"], status["lag_events"]) == ("stopped", position, 2)
    assert found["active_tokens"]["state"] == "live"

    # OAuth requests still succeed; the service is ready and reports the stopped projection.
    assert RESOURCE_SERVER.introspect(demo, after)["active"]
    ready = demo.get("/readyz")
    assert ready.status == 200
    assert {p["projection"]: p["stopped_at"] for p in ready.json["projections"]}["token_history"] == position
    stopped = f'topic="token.issued"}} {float(position)}'
    assert stopped in demo.get("/metrics").body.decode()

    wrong = projections("skip", "token_history", str(position + 1), "--reason", "guessing")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert f"it is stopped at position {position}" in wrong.stderr
    skip = ("skip", "token_history", str(position), "--reason", "broken by hand", "--actor", "ada")
    assert projections(*skip).returncode == 0
    wait_until(lambda: query_value(f"SELECT position {CHECKPOINT}") == position + 1, demo.output)

    said = projections("status")
    assert said.returncode == 0, said.stdout
    assert f"skips position {position}, token.issued" in said.stdout
    assert "by operator:ada: broken by hand" in said.stdout
    assert projections(*skip).returncode == 1
    assert query_value("SELECT count(*) FROM token_history") == 2
    demo.post("revoke", USER.form | {"token": token})
    wait_until(lambda: query_value("SELECT count(revoked_at) FROM token_history") == 1, demo.output)


@pytest.mark.parametrize("json_flag", [(), ("--json",)])
def test_status_watch_exits_with_0_on_ctrl_c(demo, database, json_flag):
    watching = start_command("projections", "status", "--watch", "--dsn", database.service_dsn, *json_flag)
    limit = threading.Timer(TIMEOUT_SECONDS, watching.kill)
    limit.start()
    with watching:
        seen = ""
        while seen.count("token_history") < 2:
            seen += (line := watching.stdout.readline())
            assert line, watching.stderr.read()
        os.killpg(watching.pid, signal.SIGINT)
        rest, error = watching.communicate()
    limit.cancel()
    assert (watching.returncode, error) == (0, ""), rest
    if json_flag:
        first = json.loads(seen.splitlines()[0])
        assert {status["projection"] for status in first["projections"]} == {
            "active_tokens",
            "clients",
            "token_history",
            "event_index",
        }


def test_run_follows_and_releases_its_lease_on_sigterm(database, start, query_value):
    service = start("--demo", "--no-follow", "--dsn", database.service_dsn).wait_until_ready()
    USER.request_token(service)
    assert statuses(database)["token_history"]["state"] == "not followed"
    with start_command("projections", "run", "--dsn", database.service_dsn, stdout=None) as following:
        holder = f"SELECT holder {CHECKPOINT}"
        wait_until(lambda: str(query_value(holder)).endswith(f":{following.pid}"), "it never followed")
        wait_until(lambda: query_value(CAUGHT_UP), "it never caught up")
        following.terminate()
        _, said = following.communicate(timeout=TIMEOUT_SECONDS)
    assert following.returncode == 0, said
    assert json.loads(said.splitlines()[-1])["event"] == "stopped"
    assert query_value("SELECT bool_and(holder IS NULL) FROM projection_checkpoints")
    assert service.stop() == 0


def counted(service) -> set[int]:
    """Processes that the metrics include. One that does not respond within a second is left out."""
    return set(map(int, re.findall(r'process="(\d+)"', service.get("/metrics").body.decode())))


def test_metrics_of_any_worker_include_every_worker(database, start):
    service = start("--demo", "--dsn", database.service_dsn, "--workers", "2").wait_until_ready(2)
    pids = {event["pid"] for event in service.events("server ready")}
    wait_until(lambda: counted(service) == pids)
    killed = min(pids)
    os.kill(killed, signal.SIGKILL)
    service.wait_until_ready(3)
    alive = {event["pid"] for event in service.events("server ready")} - {killed}
    wait_until(lambda: counted(service) == alive)
    assert service.stop() == 0


def test_status_is_limited_to_the_chosen_issuer(database):
    words = ("projections", "status", "--dsn", database.service_dsn, "--issuers", "http://a/one,http://a/two")
    assert {status["log"] for status in run_json_command(*words)["projections"]} == {"one", "two"}
    assert {s["log"] for s in run_json_command(*words, "--issuer", "/two")["projections"]} == {"two"}
