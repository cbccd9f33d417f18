"""The command line over issuers in memory, whose logs are kept between commands."""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime
from secrets import token_bytes
from typing import Any, TypeVar

import pytest
import structlog
from audit_scenario import record_history
from audit_service import CLIENT, AuditService, InThread
from typer.testing import CliRunner, Result

from api.cli import context as issuer_commands
from api.cli.audit import commands as audit_commands
from api.cli.audit import context as audit_context
from api.cli.audit.log_source import LogSource
from api.cli.clients import apply as apply_command
from api.cli.clients import commands as clients_commands
from api.cli.main import app
from api.operations.database import Dsns
from ledger.domain.client import Client
from ledger.domain.recording import RecordedEvent
from ledger.use_cases.issuer import Issuer, IssuerIdentifier
from tests.builders import FakeClock, use_cheap_argon2
from tests.in_memory_issuer import ISSUER_URL, InMemoryIssuer

T = TypeVar("T")


class MemoryDatabase:
    """Replaces the database and the service over it."""

    def __init__(self) -> None:
        self.clock = FakeClock(datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC))
        self.stores: dict[str, InMemoryIssuer] = {}
        self.reported: Sequence[str] = ()
        self.poison: Exception | None = None
        self._executor = ThreadPoolExecutor(1)

    def issuer(self, url: str = ISSUER_URL) -> Issuer:
        """Open an issuer, with its log kept between commands."""
        return self.store(url).open()

    def store(self, url: str = ISSUER_URL) -> InMemoryIssuer:
        """Return the store of an issuer."""
        name = IssuerIdentifier(url).log_name
        if name not in self.stores:
            self.stores[name] = InMemoryIssuer(url, clock=self.clock, random_bytes=token_bytes, executor=self._executor)
        return self.stores[name]

    def history(self) -> LogSource:
        """Return the audit source over the log."""
        return LogSource(self.issuer(), self.caught_up, clock=self.clock)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in an event loop of its own, as commands do."""
        return asyncio.run(work)

    def events(self) -> list[RecordedEvent]:
        return list(self.stores["ms-auth-server"].log)

    def client(self, client_id: str) -> Client:
        found = self.run(self.issuer().clients.get(client_id))
        assert found is not None
        return found

    async def caught_up(self) -> None:
        if self.poison is not None:
            raise self.poison

    def open_service(self, config: Any) -> nullcontext["_Running"]:
        return nullcontext(_Running(self, [self.issuer(identifier.url) for identifier in config.issuers]))


class _Running:
    def __init__(self, database: MemoryDatabase, issuers: list[Issuer]) -> None:
        self._database = database
        self.issuers = issuers

    async def problems(self) -> Sequence[str]:
        return self._database.reported

    async def catch_up(self) -> None:
        await self._database.caught_up()


class CommandLine:
    """Runs commands, with standard output and standard error kept apart."""

    def __init__(self) -> None:
        self._runner = CliRunner()

    def __call__(self, *words: str, stdin: str | None = None) -> Result:
        result = self._runner.invoke(app, list(words), input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def ok(self, *words: str, stdin: str | None = None) -> str:
        result = self(*words, stdin=stdin)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *words: str, stdin: str | None = None) -> Any:
        return json.loads(self.ok(*words, "--json", stdin=stdin))


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch):
    for name in list(os.environ):
        if name.startswith("TOKEN_LEDGER_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _cheap_argon2(monkeypatch):
    use_cheap_argon2(monkeypatch)


@pytest.fixture
def memory(monkeypatch) -> MemoryDatabase:
    database = MemoryDatabase()

    @asynccontextmanager
    async def open_database(*_, **__) -> AsyncIterator[Dsns]:
        yield Dsns("postgresql:///memory", None)

    monkeypatch.setattr(issuer_commands, "open_database", open_database)
    monkeypatch.setattr("api.operations.database.Service", database.open_service)
    monkeypatch.setattr(issuer_commands, "login_name", lambda: "ada")
    for module in (
        clients_commands,
        issuer_commands,
        audit_commands,
        audit_context,
        apply_command,
    ):
        monkeypatch.setattr(module, "utc_now", database.clock)
    return database


@pytest.fixture
def cli(memory) -> CommandLine:
    return CommandLine()


@pytest.fixture
def bare_cli() -> CommandLine:
    """The command line without a database."""
    return CommandLine()


@pytest.fixture
def shop(memory):
    """The tokens of a short history."""
    return memory.run(record_history(memory.issuer(), memory.clock))


@pytest.fixture
def _no_request_lines(_restored_logging) -> None:
    """Capture the log of the service, which runs in the process of the command and would share its output."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@pytest.fixture
def service(memory, _no_request_lines) -> Iterator[AuditService]:
    """A service with audit endpoints."""
    with InThread(AuditService(memory.store)) as running:
        yield running


@pytest.fixture
def asking_over_http(service, monkeypatch) -> AuditService:
    """The same service, with the environment of an auditor; opening a database fails."""
    monkeypatch.setenv("TOKEN_LEDGER_URL", service.url)
    monkeypatch.setenv("TOKEN_LEDGER_AUDIT_CLIENT_ID", CLIENT["client_id"])
    monkeypatch.setenv("TOKEN_LEDGER_AUDIT_CLIENT_SECRET", CLIENT["client_secret"])
    monkeypatch.setattr(issuer_commands, "open_database", None)
    return service
