"""The database is away, not migrated or restarted under load: 503 meanwhile, and no acknowledged write is lost."""

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from service_process import RESOURCE_SERVER, TIMEOUT_SECONDS, USER, ServiceProcess, run_command, wait_until

from api.embedded_postgres import EmbeddedPostgres
from migrations.runner import upgrade

TASKS = 8


@pytest.fixture
def own_postgres() -> Iterator[EmbeddedPostgres]:
    """A durable server that a test may kill."""
    with tempfile.TemporaryDirectory(prefix="token-ledger-outage-") as name:
        postgres = EmbeddedPostgres(Path(name) / "postgres")
        with postgres:
            postgres.folder = Path(name) / "postgres"  # type: ignore[attr-defined]
            yield postgres


def kill(postgres) -> None:
    pid = int((postgres.folder / "data" / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])
    os.kill(pid, signal.SIGKILL)


@dataclass
class Load:
    """Issues tokens, revokes every second one, and records what was acknowledged."""

    service: ServiceProcess
    issued: list[str] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    refused: int = 0
    unexpected: list[str] = field(default_factory=list)
    stopped: bool = False

    async def wait_for(self, condition) -> None:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while not condition():
                assert not self.unexpected, self.unexpected
                await asyncio.sleep(0.02)

    async def run(self, http: aiohttp.ClientSession) -> None:
        while not self.stopped:
            response = await self.post(http, "token", grant_type="client_credentials")
            if response is None:
                continue
            token = response["access_token"]
            if len(self.issued) % 2:
                self.issued.append(token)
            elif await self.post(http, "revoke", token=token) is not None:
                self.revoked.append(token)
                self.issued.append("")

    async def post(self, http: aiohttp.ClientSession, endpoint: str, **more: str):
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


async def test_no_acknowledged_write_is_lost_when_the_database_is_killed(own_postgres, start):
    await upgrade(own_postgres.owner_dsn)
    service = start("--demo", "--dsn", own_postgres.service_dsn).wait_until_ready()
    load = Load(service)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{service.port}") as http, asyncio.TaskGroup() as tasks:
        for _ in range(TASKS):
            tasks.create_task(load.run(http))
        await load.wait_for(lambda: len(load.issued) >= 40)
        kill(own_postgres)
        await load.wait_for(lambda: load.refused >= 5)
        before = len(load.issued)
        await asyncio.to_thread(EmbeddedPostgres(own_postgres.folder).start)
        await load.wait_for(lambda: len(load.issued) >= before + 40)
        load.stopped = True
    assert not load.unexpected
    for token in filter(None, load.issued):
        assert RESOURCE_SERVER.introspect(service, token)["active"], service.output
    for token in load.revoked:
        assert not RESOURCE_SERVER.introspect(service, token)["active"], service.output
    assert service.stop() == 0


def test_service_starts_without_its_database_and_is_ready_when_it_appears(own_postgres, start):
    asyncio.run(upgrade(own_postgres.owner_dsn))
    dsn = own_postgres.service_dsn
    own_postgres.stop()
    service = start("--dsn", dsn).wait_until_ready()
    assert service.get("/livez").status == 200
    away = service.get("/readyz")
    assert (away.status, away.json["status"]) == (503, "not ready")
    assert service.post("token", USER.form | {"grant_type": "client_credentials"}).status == 503
    own_postgres.start()
    wait_until(lambda: service.get("/readyz").status == 200, "readiness")
    assert service.stop() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_service_exits_when_its_database_appears_with_demo_clients(own_postgres, start, workers):
    asyncio.run(upgrade(own_postgres.owner_dsn))
    dsn = own_postgres.service_dsn
    assert start("--demo", "--dsn", dsn).wait_until_ready().stop() == 0
    own_postgres.stop()
    service = start("--dsn", dsn, "--workers", workers).wait_until_ready(int(workers))
    own_postgres.start()
    assert service.wait_for_exit() == 1
    assert "from --demo" in service.wait_for_event("refusing to serve")["reason"]


def test_service_is_ready_without_a_restart_when_its_database_is_migrated(empty_database, start):
    service = start("--dsn", empty_database.service_dsn).wait_until_ready()
    assert "run 'token-ledger migrate'" in service.get("/readyz").json["problems"][0]
    done = run_command("migrate", "--owner-dsn", empty_database.owner_dsn)
    assert (done.returncode, done.stdout.startswith("applied 0001")) == (0, True), done
    wait_until(lambda: service.get("/readyz").status == 200, "readiness")
    assert service.stop() == 0
