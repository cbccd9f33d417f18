"""The audit commands on a running service: over its database, and over HTTP with a URL and a secret."""

import csv
import io
import json
import signal
import threading

import pytest
from service_process import RESOURCE_SERVER, TIMEOUT_SECONDS, USER, ServiceFailure, run_command, start_command

AUDITOR = {"TOKEN_LEDGER_AUDIT_CLIENT_ID": "auditor", "TOKEN_LEDGER_AUDIT_CLIENT_SECRET": "auditor-secret"}


def over_database(database, service):
    return {"TOKEN_LEDGER_DSN": database.service_dsn}


def over_http(database, service):
    return AUDITOR | {"TOKEN_LEDGER_URL": service.issuer}


@pytest.fixture(params=[over_database, over_http], ids=["database", "http"])
def env(request, database, demo):
    return request.param(database, demo)


@pytest.fixture
def audit(env):
    def audit(*words: str, stdin: str = "") -> str:
        done = run_command("audit", *words, env=env, stdin=stdin)
        assert done.returncode == 0, done.stderr
        assert done.stderr == "" or done.stderr.startswith(("as of ", "there may be more"))
        return done.stdout

    return audit


def test_revoked_token_is_explained_by_jti_and_by_value(demo, audit):
    token = USER.request_token(demo, scope="customer.read")
    jti = RESOURCE_SERVER.introspect(demo, token)["jti"]
    USER.revoke(demo, token)
    by_jti = json.loads(audit("token", jti, "--json"))
    assert by_jti["state"] == "revoked"
    assert by_jti["explanation"].startswith("revoked since ")
    assert "by client:user-client-opaque from 127.0.0.1: revoked by its client; issued to" in by_jti["explanation"]
    issued, revoked = by_jti["events"]
    assert (issued["type"], revoked["type"]) == ("token.issued", "token.revoked")
    by_itself = json.loads(audit("token", "--token-stdin", "--json", stdin=f"{token}\n"))
    assert (by_itself["jti"], by_itself["state"], by_itself["events"]) == (jti, "revoked", by_jti["events"])
    before = json.loads(audit("token", jti, "--json", "--as-of", str(issued["position"])))
    assert (before["state"], before["revoked"]) == ("active", None)
    text = audit("token", "--token-stdin", stdin=token)
    assert by_jti["explanation"] in text
    assert token not in text


def test_issued_tokens_are_listed_at_once(demo, audit):
    for _ in range(3):
        USER.request_token(demo)
    revoked = USER.request_token(demo)
    USER.revoke(demo, revoked)
    listed = json.loads(audit("tokens", "--client-id", "user-client-opaque", "--json", "--all"))
    assert [token["state"] for token in listed["tokens"]] == ["revoked", "active", "active", "active"]
    rows = list(csv.DictReader(io.StringIO(audit("tokens", "--status", "revoked", "--csv"))))
    assert [(row["client_id"], row["reason"]) for row in rows] == [("user-client-opaque", "revoked by its client")]
    assert len(audit("tokens", "--client-id", "user-client-opaque", "--limit", "2").splitlines()) == 3
    counted = json.loads(audit("summary", "--client-id", "user-client-opaque", "--json"))
    assert [(c["issued"], c["revoked"], c["active"]) for c in counted["clients"]] == [(4, 1, 3)]
    assert "4 in total" in audit("summary", "--client-id", "user-client-opaque", "--bucket", "minute")


def test_events_are_complete_when_no_service_runs(demo, database):
    demo.kill()  # while it may be following the log
    again = run_command("clients", "add", "late", "--scope", "read", "--dsn", database.service_dsn, "--json")
    assert again.returncode == 0, again.stderr
    done = run_command("audit", "events", "--client-id", "late", "--json", "--dsn", database.service_dsn)
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["type"] for line in done.stdout.splitlines()] == [
        "client.registered",
        "client.secret_added",
    ]


class FollowCommand:
    """`token-ledger audit events --follow --json` as a process."""

    def __init__(self, env, *words: str) -> None:
        self._process = start_command("audit", "events", "--follow", "--json", *words, env=env)
        self._watchdog = threading.Timer(TIMEOUT_SECONDS, self._process.kill)
        self._watchdog.start()

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self._watchdog.cancel()
        self._process.kill()
        self._process.communicate()

    def read_until(self, condition):
        """Return the events up to the first that satisfies the condition."""
        seen = []
        for line in self._process.stdout:
            seen.append(json.loads(line))
            if condition(seen[-1]):
                return seen
        msg = f"it ended: {seen}\n{self._process.stderr.read()}"
        raise ServiceFailure(msg)

    def press_ctrl_c(self) -> tuple[int, str]:
        self._process.send_signal(signal.SIGINT)
        out, err = self._process.communicate(timeout=TIMEOUT_SECONDS)
        return self._process.returncode, out + err


def revoked(event) -> bool:
    return event["type"] == "token.revoked"


def test_follow_ends_with_0_on_ctrl_c(demo, env):
    with FollowCommand(env, "--after", "0") as following:
        USER.revoke(demo, USER.request_token(demo))
        seen = following.read_until(revoked)
        USER.revoke(demo, USER.request_token(demo))
        seen += following.read_until(revoked)
        assert [event["position"] for event in seen] == list(range(1, len(seen) + 1))
        assert following.press_ctrl_c() == (0, "")
