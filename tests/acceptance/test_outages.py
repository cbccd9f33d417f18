"""The database away, not migrated, restarted under load: 503 in between, nothing acknowledged lost, no help needed."""

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from service_process import RESOURCE_SERVER, USER, ServiceProcess, run_command

from api.embedded_postgres import EmbeddedPostgres
from migrations.runner import upgrade

TASKS = 8


@pytest.fixture
def own_postgres() -> Iterator[EmbeddedPostgres]:
    """A durable server that a test may treat badly."""
    with tempfile.TemporaryDirectory(prefix="token-ledger-outage-") as name:
        postgres = EmbeddedPostgres(Path(name) / "postgres")
        with postgres:
            postgres.folder = Path(name) / "postgres"  # type: ignore[attr-defined]
            yield postgres


def kill(postgres) -> None:
    pid = int((postgres.folder / "data" / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])
    os.kill(pid, signal.SIGKILL)


def until_ready(service: ServiceProcess) -> None:
    for _ in range(600):
        answer = service.get("/readyz")
        if answer.status == 200:
            return
        asyncio.run(asyncio.sleep(0.1))
    pytest.fail(f"never ready: {answer}\n{service.output}")


@dataclass
class Load:
    """Issues tokens and revokes every second one, and keeps what was acknowledged."""

    service: ServiceProcess
    issued: list[str] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    refused: int = 0
    unexpected: list[str] = field(default_factory=list)
    stopped: bool = False

    async def until(self, happened, what: str) -> None:
        async with asyncio.timeout(60):
            while not happened():
                assert not self.unexpected, self.unexpected
                await asyncio.sleep(0.02)
        assert what

    async def run(self, http: aiohttp.ClientSession) -> None:
        while not self.stopped:
            answer = await self.ask(http, "token", grant_type="client_credentials")
            if answer is None:
                continue
            token = answer["access_token"]
            if len(self.issued) % 2:
                self.issued.append(token)
            elif await self.ask(http, "revoke", token=token) is not None:
                self.revoked.append(token)
                self.issued.append("")

    async def ask(self, http: aiohttp.ClientSession, endpoint: str, **more: str):
        async with http.post(f"/ms-auth-server/oauth2/{endpoint}", data=USER.form | more) as response:
            body = await response.read()
            if response.status == 200:
                return await response.json() if body else {}
            if response.status == 503 and response.headers.get("Retry-After", "").isdigit():
                self.refused += 1
                await asyncio.sleep(0.01)
            else:
                self.unexpected.append(f"{endpoint} {response.status} {dict(response.headers)}")
        return None


async def test_killed_under_load_it_recovers_by_itself_and_nothing_acknowledged_is_lost(own_postgres, start):
    await upgrade(own_postgres.owner_dsn)
    service = start("--demo", "--dsn", own_postgres.service_dsn).wait_until_ready()
    load = Load(service)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{service.port}") as http, asyncio.TaskGroup() as tasks:
        for _ in range(TASKS):
            tasks.create_task(load.run(http))
        await load.until(lambda: len(load.issued) >= 40, "tokens before")
        kill(own_postgres)
        await load.until(lambda: load.refused >= 5, "refusals while it is away")
        before = len(load.issued)
        await asyncio.to_thread(EmbeddedPostgres(own_postgres.folder).start)
        await load.until(lambda: len(load.issued) >= before + 40, "tokens after")
        load.stopped = True
    assert not load.unexpected
    for token in filter(None, load.issued):
        assert RESOURCE_SERVER.introspect(service, token)["active"], service.output
    for token in load.revoked:
        assert not RESOURCE_SERVER.introspect(service, token)["active"], service.output
    assert service.stop() == 0


def test_it_comes_up_while_the_database_is_away_and_is_ready_once_it_is_there(own_postgres, start):
    asyncio.run(upgrade(own_postgres.owner_dsn))
    dsn = own_postgres.service_dsn
    own_postgres.stop()
    service = start("--dsn", dsn).wait_until_ready()
    assert service.get("/livez").status == 200
    away = service.get("/readyz")
    assert (away.status, away.json["status"]) == (503, "not ready")
    assert service.post("token", USER.form | {"grant_type": "client_credentials"}).status == 503
    own_postgres.start()
    until_ready(service)
    assert service.stop() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_database_with_demo_clients_that_comes_back_later_ends_it(own_postgres, start, workers):
    asyncio.run(upgrade(own_postgres.owner_dsn))
    dsn = own_postgres.service_dsn
    assert start("--demo", "--dsn", dsn).wait_until_ready().stop() == 0
    own_postgres.stop()
    service = start("--dsn", dsn, "--workers", workers).wait_until_ready(int(workers))
    own_postgres.start()
    assert service.wait_for_exit() == 1
    assert "from --demo" in service.wait_for_event("refusing to serve")["reason"]


def test_a_database_that_is_not_migrated_is_said_so_and_becomes_ready_without_a_restart(empty_database, start):
    service = start("--dsn", empty_database.service_dsn).wait_until_ready()
    assert "run 'token-ledger migrate'" in service.get("/readyz").json["problems"][0]
    done = run_command("migrate", "--owner-dsn", empty_database.owner_dsn)
    assert (done.returncode, done.stdout.startswith("applied 0001")) == (0, True), done
    until_ready(service)
    assert service.stop() == 0
