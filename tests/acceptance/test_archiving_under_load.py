"""`log archive` next to a running service: killing it anywhere disturbs no request and loses no event."""

import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from service_process import (
    TIMEOUT_SECONDS,
    Credentials,
    Response,
    ServiceProcess,
    run_command,
    run_json_command,
    start_command,
    wait_until,
)
from token_load import TokenLoad

from tests.sample_logs import export_of, old_log

ISSUER = "http://localhost/ms-auth-server"
LOG = old_log(3000)
LINES = export_of(LOG)
HALF = LOG[len(LOG) // 2].recorded_at.isoformat()
LATER = "2025-01-01"
UNFINISHED_ARCHIVES = "SELECT count(*) FROM log_archives WHERE removed_at IS NULL"


class Archive:
    """A log in a database, the folder its events are archived to, and the commands that work on both."""

    def __init__(self, database, folder: Path, query_value) -> None:
        self._database = database
        self.folder = folder
        self.query = query_value

    def start(self, before: str) -> subprocess.Popen[str]:
        words = ("log", "archive", "--before", before, "--to", str(self.folder), "--issuers", ISSUER)
        return start_command(*words, "--owner-dsn", self._database.owner_dsn)

    def finishes(self, before: str) -> bool:
        """Whether archiving succeeds. It is refused while the server still holds the session of a killed one."""
        process = self.start(before)
        _, errors = process.communicate(timeout=TIMEOUT_SECONDS)
        assert process.returncode == 0 or "another process" in errors, errors
        return process.returncode == 0

    def run(self, before: str) -> str:
        process = self.start(before)
        output, errors = process.communicate(timeout=TIMEOUT_SECONDS)
        assert process.returncode == 0, errors
        return output

    def service_flags(self) -> tuple[str, ...]:
        return ("--dsn", self._database.service_dsn, "--issuers", ISSUER)

    def flags(self) -> tuple[str, ...]:
        return ("--archives", str(self.folder), *self.service_flags())

    def is_unfinished(self) -> bool:
        """Whether an archive is recorded whose events are not all removed from the log."""
        return self.query(UNFINISHED_ARCHIVES) > 0

    def assert_nothing_is_lost(self) -> None:
        """Every event is in the log, or in an archive that is recorded and whose file exists."""
        archived = self.query("SELECT coalesce(max(last_position), 0) FROM log_archives")
        in_log = set(self.query("SELECT array_agg(position) FROM event_log WHERE log_id = 1"))
        assert [row.position for row in LOG if row.position not in in_log and row.position > archived] == []
        for name in self.query("SELECT coalesce(array_agg(file_name), '{}') FROM log_archives"):
            assert (self.folder / name).is_file()


class Auditor:
    """Sends audit requests, and counts them."""

    def __init__(self, service: ServiceProcess, credentials: Credentials) -> None:
        self._service = service
        self._token = credentials.request_token(service, scope="audit.read")
        self.requests = 0

    def get(self, path: str) -> Response:
        return self._service.get(f"/ms-auth-server/{path}", self._token)

    def audit(self) -> None:
        for path in (
            "audit/tokens?limit=5",
            f"audit/events?after={len(LOG)}&limit=5",
            "audit/clients/shop/events",
            f"audit/tokens/{LOG[1].stream_id}",
        ):
            response = self.get(path)
            assert response.status == 200, (path, response)
            self.requests += 1


@pytest.fixture
def archive(database, tmp_path, query_value):
    folder = tmp_path / "archives"
    folder.mkdir()
    words = ("log", "import", "-", "--issuers", ISSUER, "--owner-dsn", database.owner_dsn)
    done = run_command(*words, stdin=b"".join(LINES))
    assert done.returncode == 0, done.stderr
    return Archive(database, folder, query_value)


@pytest.fixture
def service(archive, start):
    """A service whose projections have read the whole log."""
    service = start(*archive.service_flags()).wait_until_ready()
    wait_until(lambda: (archive.query("SELECT min(position) FROM projection_checkpoints") or 0) >= len(LOG))
    return service


@pytest.fixture
def auditor(service, add_client):
    return Auditor(service, add_client("auditor", ISSUER, scopes=("audit.read",)))


def test_archiving_loses_nothing_when_killed_repeatedly(archive, service, auditor, add_client):
    user = add_client("user", ISSUER, scopes=("read",), introspection="issuer")
    load = TokenLoad(service, user, user)
    chance = random.Random(20261124)  # noqa: S311 (when to kill)
    moments = [
        lambda: list(archive.folder.glob(".*.partial")),
        lambda: list(archive.folder.glob("*.gz")),
        archive.is_unfinished,
        lambda: archive.is_unfinished() and time.sleep(0.1) is None,
        lambda: time.sleep(chance.uniform(0.5, 3.0)) is None,
    ]
    killed = 0
    with load.running(auditor.audit):
        for number, moment in enumerate(moments):
            archiving = archive.start(HALF if number < 3 else LATER)  # so that there are two archives
            while archiving.poll() is None and not moment():
                time.sleep(0.001)
            killed += archiving.poll() is None
            archiving.send_signal(signal.SIGKILL)
            archiving.communicate(timeout=TIMEOUT_SECONDS)
            archive.assert_nothing_is_lost()
        wait_until(lambda: archive.finishes(LATER))
        wait_until(lambda: load.failures or (len(load.active) > 5 and auditor.requests > 5))
    load.assert_tokens_are_as_responded()
    assert killed >= 2
    assert archive.query(UNFINISHED_ARCHIVES) == 0

    exported = run_command("log", "export", "-", "--until", str(len(LOG)), *archive.flags())
    assert exported.returncode == 0, exported.stderr
    assert exported.stdout.encode().splitlines()[1:-1] == [line.rstrip() for line in LINES[1:-1]]
    verified = run_json_command("log", "verify", *archive.flags())
    assert verified["sound"], verified
    assert verified["events"] >= verified["head"]["position"] > len(LOG)
    assert run_json_command("projections", "verify", "token_history", *archive.flags())["equal"]


def test_commands_and_endpoints_report_what_is_archived(archive, auditor):
    said = archive.run(LATER).splitlines()
    assert said[0].startswith(f"archived positions 1 to {len(LOG):,} of log 'ms-auth-server' in ms-auth-server.0")
    assert said[1].startswith("sha256 of the file  ")
    assert said[2].startswith("removed ")
    assert archive.run(LATER).startswith("all events recorded before 2025-01-01")
    without = archive.service_flags()
    refused = run_command("log", "export", "-", *without)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"up to position {len(LOG)} are archived" in refused.stderr
    assert "--archives" in refused.stderr
    sound = run_command("log", "verify", *without)
    assert sound.returncode == 0
    assert "are archived; verify them with --archives" in sound.stdout
    assert run_json_command("log", "stats", *without)["archived_until"] == len(LOG)
    listed = run_command("log", "archives", *archive.flags()).stdout
    assert f"the archives are sound: they hold every event up to position {len(LOG):,}" in listed
    jti = str(LOG[1].stream_id)
    shown = run_command("audit", "token", jti, *without)
    assert shown.returncode == 0, shown.stderr
    assert "expired since" in shown.stdout
    assert "archive ms-auth-server.0" in shown.stdout
    assert "nothing to revoke" in run_command("tokens", "revoke", jti, *without).stdout
    for path in (f"audit/tokens/{jti}/events", "audit/events?limit=1", "audit/events/stream?after=1"):
        response = auditor.get(path)
        assert response.status == 410, response
        assert response.json["type"] == "urn:token-ledger:problem:archived"
