"""The log commands as processes: export, import, verify and stats, with pipes, a running service and a kill."""

import gzip
import json
import signal
import subprocess
from uuid import UUID

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

from ledger.domain.recording import RecordedEvent, StreamEvent
from ledger.postgres.whole_log import PAGE
from tests.builders import CAUSE, NOW, token_issued
from tests.sample_logs import export_of, recorded, small_log

LINES = export_of(small_log())
ISSUERS = "http://localhost/original,http://localhost/copy"


@pytest.fixture
def log_command(database):
    """Run a log command on one of two issuers; its input and output are bytes."""

    def run(issuer: str, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        dsn = database.owner_dsn if words[0] == "import" else database.service_dsn
        words = ("log", *words, "--issuers", ISSUERS, "--issuer", f"/{issuer}", "--dsn", dsn)
        return run_command(*words, stdin=stdin)

    return run


@pytest.fixture
def ok(log_command):
    def run(*words: str, stdin: bytes = b"") -> bytes:
        done = log_command(*words, stdin=stdin)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    return run


def without_header(data: bytes) -> list[bytes]:
    """Return the lines of an export without those that differ between two exports of the same events."""
    _, *events, end = data.splitlines()
    return [*events, json.loads(end)["events_sha256"].encode()]


def test_export_is_restored_through_files_and_pipes(ok, tmp_path, database):
    ok("original", "import", "-", stdin=b"".join(LINES))
    first = ok("original", "export", "-")
    assert without_header(first) == without_header(b"".join(LINES))
    compressed = ok("original", "export", "-", "--compress")
    assert without_header(gzip.decompress(compressed)) == without_header(first)
    said = ok("original", "export", str(tmp_path / "log.ndjson.gz")).decode()
    assert said.startswith("exported 6 events of log 'original', up to position 6\n")
    assert json.loads(LINES[-1])["events_sha256"] in said
    said = ok("copy", "import", str(tmp_path / "log.ndjson.gz")).decode()
    assert said.startswith("imported 6 events into log 'copy'\nexported from http://localhost/original at ")
    header, *_ = (copy := ok("copy", "export", "-")).splitlines()
    assert json.loads(header)["issuer"] == "http://localhost/copy"
    assert without_header(copy) == without_header(first)


def test_import_reads_a_compressed_export_from_a_pipe(ok):
    document = json.loads(ok("copy", "import", "-", "--json", stdin=gzip.compress(b"".join(LINES))))
    assert document == {"log": "copy", "events": 6, "exported_from": "http://localhost:8085/first"}


def test_partial_export_is_imported_only_from_the_start(log_command, ok):
    ok("original", "import", "-", stdin=b"".join(LINES))
    part = ok("original", "export", "-", "--after", "2", "--until", "4")
    assert [json.loads(line)["position"] for line in part.splitlines()[1:-1]] == [3, 4]
    refused = log_command("copy", "import", "-", stdin=part)
    assert refused.returncode == 1
    assert refused.stderr.decode() == (
        "error: standard input: the export starts after position 2: a log starts at position 1\n"
        "error: Nothing was imported.\n"
    )
    start = ok("original", "export", "-", "--until", "4")
    ok("copy", "import", "-", stdin=start)
    assert ok("copy", "export", "-").splitlines()[1:-1] == start.splitlines()[1:-1]


@pytest.mark.parametrize("words", [("--after", "7"), ("--after", "4", "--until", "4")])
def test_export_is_a_usage_error_when_the_range_is_empty(log_command, ok, words):
    ok("original", "import", "-", stdin=b"".join(LINES))
    refused = log_command("original", "export", "-", *words)
    assert (refused.returncode, refused.stdout) == (2, b"")
    assert b"the log ends at 6" in refused.stderr


def test_import_names_the_line_and_imports_nothing_when_invalid(log_command, tmp_path, query_value):
    cut_off = tmp_path / "log"
    cut_off.write_bytes(b"".join(LINES[:4]))
    refused = log_command("copy", "import", str(cut_off))
    assert refused.returncode == 1
    assert refused.stderr.decode() == (
        f"error: {cut_off}: line 5: the file is truncated here\nerror: Nothing was imported.\n"
    )
    assert query_value("SELECT count(*) FROM event_log") == 0


@pytest.mark.parametrize("verb", [("verify",), ("export", "-"), ("stats",)])
def test_log_command_is_refused_when_the_issuer_has_no_log(log_command, verb):
    refused = log_command("original", *verb)
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert b"there is no log 'original' in this database" in refused.stderr


def test_import_leaves_nothing_when_killed(database, ok, query_value):
    lines = export_of(long_log())
    words = ("log", "import", "-", "--issuers", ISSUERS, "--issuer", "/copy", "--owner-dsn", database.owner_dsn)
    process = start_command(*words, stdin=subprocess.PIPE, stdout=None, stderr=None, text=False)
    assert process.stdin is not None
    # One batch is in the table, uncommitted; the command waits for the rest of the next one.
    process.stdin.write(b"".join(lines[:-1]))
    process.stdin.flush()
    wait_until(lambda: query_value(UNCOMMITTED) > 0 and query_value(BUSY) == 1)
    process.send_signal(signal.SIGKILL)
    assert process.wait(TIMEOUT_SECONDS) == -signal.SIGKILL
    process.stdin.close()
    wait_until(lambda: query_value(BUSY) == 0)
    for table in ("event_log", "active_tokens", "clients"):
        assert query_value(f"SELECT count(*) FROM {table}") == 0  # noqa: S608 (the names above)
    ok("copy", "import", "-", stdin=b"".join(lines))
    assert without_header(ok("copy", "export", "-")) == without_header(b"".join(lines))


def long_log() -> list[RecordedEvent]:
    """Return more events than one batch of an import."""
    streams = [UUID(int=number) for number in range(1, PAGE + 100)]
    return [
        recorded(number, NOW, StreamEvent(stream, 1, token_issued(jti=stream, digest=number.to_bytes(32))), CAUSE)
        for number, stream in enumerate(streams, start=1)
    ]


UNCOMMITTED = "SELECT pg_relation_size('event_log')"
BUSY = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND usename = 'token_ledger_owner' AND state = 'idle in transaction'
"""


def test_log_is_verified_counted_and_exported_while_written(demo, database, tmp_path):
    tokens = [USER.request_token(demo) for _ in range(5)]
    verified = run_json_command("log", "verify", "--dsn", database.service_dsn)
    assert verified["sound"]
    assert (verified["log"], verified["count"], verified["findings"]) == ("ms-auth-server", 0, [])
    assert verified["events"] == verified["head"]["position"] >= 5
    said = run_command("log", "verify", "--dsn", database.service_dsn)
    assert said.returncode == 0
    assert said.stdout == f"log 'ms-auth-server' is sound: {verified['events']} events\n"
    numbers = run_json_command("log", "stats", "--days", "2", "--dsn", database.service_dsn)
    assert numbers["events"] == verified["events"]
    assert numbers["topics"]["token.issued"] == 5
    assert len(numbers["days"]) == 2
    table = run_command("log", "stats", "--dsn", database.service_dsn).stdout
    assert "token.issued" in table
    assert run_command("log", "export", str(tmp_path / "log"), "--dsn", database.service_dsn).returncode == 0
    exported = (tmp_path / "log").read_text()
    assert not any(secret in exported for secret in (*tokens, USER.form["client_secret"]))


def test_restored_log_keeps_tokens_and_clients(demo, database, database_server, start, tmp_path):
    token, revoked = USER.request_token(demo), USER.request_token(demo)
    USER.revoke(demo, revoked)
    backup = str(tmp_path / "log.gz")
    assert run_command("log", "export", backup, "--dsn", database.service_dsn).returncode == 0
    elsewhere = database_server.create_migrated()
    assert run_command("log", "import", backup, "--owner-dsn", elsewhere.owner_dsn).returncode == 0
    restored = start("--demo", "--dsn", elsewhere.service_dsn).wait_until_ready()
    assert RESOURCE_SERVER.introspect(restored, token)["active"]
    assert RESOURCE_SERVER.introspect(restored, revoked) == {"active": False}
    assert USER.request_token(restored)
    restored.kill()
    database_server.drop(elsewhere)


def test_verify_exits_with_1_and_findings_when_the_log_is_unsound(demo, database, query_value):
    USER.request_token(demo)
    query_value("UPDATE event_log SET topic = E'\\e[2Jwiped' WHERE position = 1")
    query_value("UPDATE event_log SET payload = payload || ' ' WHERE position = 2")
    done = run_command("log", "verify", "--findings", "1", "--dsn", database.service_dsn)
    assert done.returncode == 1
    heading, first, _, last = done.stdout.splitlines()
    assert heading.split() == ["POSITION", "FINDING"]
    assert first.startswith("1 ")
    assert "is not known" in first
    assert "\x1b" not in done.stdout
    assert last.startswith("log 'ms-auth-server' is NOT sound: 2 findings in ")
    assert last.endswith(", of which the first 1 are shown")
    document = run_command("log", "verify", "--dsn", database.service_dsn, "--json")
    assert document.returncode == 1
    found = json.loads(document.stdout)
    assert (found["sound"], found["count"]) == (False, 2)
    assert [finding["position"] for finding in found["findings"]] == [1, 2]
