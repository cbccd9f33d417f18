"""The same property on PostgreSQL through the wired service: one database, and a log of its own for each example."""

import asyncio
import itertools
from unittest.mock import patch

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from api.service.composition import Service, ServiceConfig
from ledger.domain import secrets as client_secrets
from ledger.use_cases.issuer import IssuerIdentifier
from tests.builders import CHEAP_ARGON2, FakeClock
from tests.properties.commands import sequences
from tests.properties.oracle import ActiveRow
from tests.properties.running import Run

ACTIVE = """
SELECT digest, jti::text, client_id, subject, scope, audience, issued_at, expires_at
  FROM active_tokens
 WHERE log_id = (SELECT log_id FROM logs WHERE name = $1)
"""

EXAMPLES = max(20, settings.default.max_examples // 20)
PHASES = [Phase.reuse, Phase.generate] if settings.default.derandomize else settings.default.phases
"""A campaign shrinks what it finds. That takes minutes on a database, so the everyday run reports it as it is."""


class InPostgres:
    """One issuer of a service over PostgreSQL as a subject of the property."""

    def __init__(self, service: Service, clock: FakeClock, connection: asyncpg.Connection) -> None:
        (self.issuer,) = service.issuers
        self.clock = clock
        self._connection = connection

    async def rows(self):
        return await self.issuer.streams.read(0, 1_000_000)

    async def active_rows(self) -> dict[bytes, ActiveRow]:
        rows = await self._connection.fetch(ACTIVE, self.issuer.identifier.log_name)
        return {digest: (*values, tuple(audience), start, end) for digest, *values, audience, start, end in rows}


@pytest.fixture(autouse=True)
def _cheap_secrets(monkeypatch):
    monkeypatch.setattr(client_secrets, "_argon2", CHEAP_ARGON2)
    monkeypatch.setattr(client_secrets, "_DECOY", CHEAP_ARGON2.hash(b"no client has this secret"))


async def example(dsn: str, log_name: str, commands) -> None:
    clock = FakeClock()
    with patch("api.service.composition.utc_now", clock):
        service = Service(ServiceConfig(dsn=dsn, issuers=(IssuerIdentifier(f"http://x/{log_name}"),)))
    connection = await asyncpg.connect(dsn)
    try:
        await Run(InPostgres(service, clock, connection)).all_of(commands)
    finally:
        await connection.close()
        await service.close()


def test_the_view_is_the_fold_of_the_log_and_every_answer_is_right(database):
    logs = itertools.count(1)
    with asyncio.Runner() as runner:

        @settings(max_examples=EXAMPLES, phases=PHASES, suppress_health_check=[HealthCheck.too_slow])
        @given(sequences)
        def holds(commands):
            runner.run(example(database.service_dsn, f"log-{next(logs)}", commands))

        holds()
