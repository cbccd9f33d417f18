"""`log archive` by the real command beside a real service: killed anywhere, it disturbs nobody and loses nothing."""

import asyncio
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
from service_process import COMMAND, PATIENCE, Credentials, ServiceProcess, command_json, environment, run_command

from tests.archives import export_of
from tests.old_logs import old_log

ISSUER = "http://localhost/ms-auth-server"
LOG = old_log(3000)
LINES = export_of(LOG)
HALF = LOG[len(LOG) // 2].recorded_at.isoformat()
LATER = "2025-01-01"


class Office:
    """The database, the folder of archives, and what operators do with both."""

    def __init__(self, database, folder: Path) -> None:
        self._database = database
        self.folder = folder

    def archive(self, before: str) -> subprocess.Popen[str]:
        words = ("log", "archive", "--before", before, "--to", str(self.folder), "--issuers", ISSUER)
        return subprocess.Popen(
            [*COMMAND, *words, "--owner-dsn", self._database.owner_dsn],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def flags(self) -> tuple[str, ...]:
        return ("--archives", str(self.folder), "--dsn", self._database.service_dsn, "--issuers", ISSUER)

    def query(self, statement: str):
        async def fetch():
            connection = await asyncpg.connect(self._database.superuser_dsn)
            try:
                return await connection.fetchval(statement)
            finally:
                await connection.close()

        return asyncio.run(fetch())

    def begun(self) -> bool:
        """Whether an archive is written down of which not all is removed."""
        return self.query("SELECT count(*) FROM log_archives WHERE removed_at IS NULL") > 0

    def check_nothing_is_lost(self) -> None:
        """What is not in the log is in an archive that is written down, and whose file is there."""
        until = self.query("SELECT coalesce(max(last_position), 0) FROM log_archives")
        there = set(self.query("SELECT array_agg(position) FROM event_log WHERE log_id = 1"))
        assert [row.position for row in LOG if row.position not in there and row.position > until] == []
        for name in self.query("SELECT coalesce(array_agg(file_name), '{}') FROM log_archives"):
            assert (self.folder / name).is_file()


class Load:
    """Clients that issue, introspect, revoke and audit as fast as they are answered, until told to stop."""

    def __init__(self, service: ServiceProcess, user: Credentials, auditor: Credentials) -> None:
        self._service = service
        self._user = user
        self._audit = auditor.token(service, scope="audit.read")
        self._stopping = threading.Event()
        self.failures: list[BaseException] = []
        self.active: list[str] = []
        self.revoked: list[str] = []
        self.audits = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._run, args=(work,)) for work in (self._live, self._live, self._look)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            for thread in threads:
                thread.join(PATIENCE)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            while not self._stopping.is_set():
                work()
        except BaseException as error:  # noqa: BLE001 (the test raises it)
            self.failures.append(error)

    def _live(self) -> None:
        kept, ended = self._user.token(self._service), self._user.token(self._service)
        assert self._user.introspect(self._service, kept)["active"]
        self._user.revoke(self._service, ended)
        assert self._user.introspect(self._service, ended) == {"active": False}
        self.active.append(kept)
        self.revoked.append(ended)

    def _look(self) -> None:
        for path, expected in (
            ("audit/tokens?limit=5", 200),
            (f"audit/events?after={len(LOG)}&limit=5", 200),
            ("audit/clients/shop/events", 200),
            (f"audit/tokens/{LOG[1].originator_id}", 200),
        ):
            answer = self._service._request(
                "GET", f"/ms-auth-server/{path}", None, {"Authorization": f"Bearer {self._audit}"}
            )
            assert answer.status == expected, (path, answer)
            self.audits += 1


@pytest.fixture
def office(database, tmp_path, add_client, start):
    """An old log in a database, and a service over it that has read it all."""
    folder = tmp_path / "archives"
    folder.mkdir()
    done = subprocess.run(
        [*COMMAND, "log", "import", "-", "--issuers", ISSUER, "--dsn", database.service_dsn],
        env=environment(),
        input=b"".join(LINES),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Office(database, folder)


@pytest.fixture
def load(office, database, add_client, start):
    user = add_client("user", ISSUER, scopes=("read",), introspection="issuer")
    auditor = add_client("auditor", ISSUER, scopes=("audit.read",))
    service = start("--issuers", ISSUER, "--dsn", database.service_dsn).ready()
    wait_until(lambda: (office.query("SELECT min(position) FROM projection_checkpoints") or 0) >= len(LOG))
    return Load(service, user, auditor)


def test_killed_again_and_again_it_loses_nothing(office, load):
    chance = random.Random(20261124)  # noqa: S311 (when to kill)
    moments = [
        lambda: list(office.folder.glob(".*.partial")),
        lambda: list(office.folder.glob("*.gz")),
        office.begun,
        lambda: office.begun() and time.sleep(0.1) is None,
        lambda: time.sleep(chance.uniform(0.5, 3.0)) is None,
    ]
    killed = 0
    with load.running():
        for number, moment in enumerate(moments):
            archiving = office.archive(HALF if number < 3 else LATER)  # so that there are two
            while archiving.poll() is None and not moment():
                time.sleep(0.001)
            killed += archiving.poll() is None
            archiving.send_signal(signal.SIGKILL)
            archiving.communicate(timeout=PATIENCE)
            office.check_nothing_is_lost()
        wait_until(lambda: finished(office.archive(LATER)))
    assert load.failures == []
    assert len(load.active) > 5
    assert load.audits > 5
    assert killed >= 2
    assert office.query("SELECT count(*) FROM log_archives WHERE removed_at IS NULL") == 0

    exported = run_command("log", "export", "-", "--until", str(len(LOG)), *office.flags())
    assert exported.returncode == 0, exported.stderr
    assert exported.stdout.encode().splitlines()[1:-1] == [line.rstrip() for line in LINES[1:-1]]
    verified = command_json("log", "verify", *office.flags())
    assert verified["sound"], verified
    assert verified["events"] >= verified["head"]["position"] > len(LOG)
    assert command_json("projections", "verify", "token_history", *office.flags())["equal"]
    service = load._service
    assert all(load._user.introspect(service, token)["active"] for token in load.active)
    assert not any(load._user.introspect(service, token)["active"] for token in load.revoked)


def test_what_an_operator_sees(office, load):
    done = finished_output(office.archive(LATER))
    said = done.splitlines()
    assert said[0].startswith(f"archived positions 1 to {len(LOG):,} of log 'ms-auth-server' in ms-auth-server.0")
    assert said[1].startswith("sha256 of the file  ")
    assert said[2].startswith("removed ")
    again = finished_output(office.archive(LATER))
    assert again.startswith("nothing that was recorded before 2025-01-01")
    without = office.flags()[2:]
    refused = run_command("log", "export", "-", *without)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"up to position {len(LOG)} are archived" in refused.stderr
    assert "--archives" in refused.stderr
    sound = run_command("log", "verify", *without)
    assert sound.returncode == 0
    assert "it is archived; those files are verified with --archives" in sound.stdout
    assert command_json("log", "stats", *without)["archived_until"] == len(LOG)
    listed = run_command("log", "archives", *office.flags()).stdout
    assert f"the archives are sound: they hold every event up to position {len(LOG):,}" in listed
    jti = str(LOG[1].originator_id)
    asked = run_command("audit", "token", jti, *without)
    assert asked.returncode == 0, asked.stderr
    assert "expired since" in asked.stdout
    assert "archive ms-auth-server.0" in asked.stdout
    assert "nothing to revoke" in run_command("tokens", "revoke", jti, *without).stdout
    for question in (f"audit/tokens/{jti}/events", "audit/events?limit=1", "audit/events/stream?after=1"):
        answer = load._service._request(
            "GET", f"/ms-auth-server/{question}", None, {"Authorization": f"Bearer {load._audit}"}
        )
        assert answer.status == 410, answer
        assert answer.json["type"] == "urn:token-ledger:problem:archived"


def finished(archiving: subprocess.Popen[str]) -> bool:
    """Whether it came to its end; while the server still holds what a killed one had, it is refused."""
    _, said = archiving.communicate(timeout=PATIENCE)
    assert archiving.returncode == 0 or "another process" in said, said
    return archiving.returncode == 0


def finished_output(archiving: subprocess.Popen[str]) -> str:
    said, wrong = archiving.communicate(timeout=PATIENCE)
    assert archiving.returncode == 0, wrong
    return said


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.05)
