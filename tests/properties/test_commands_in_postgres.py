"""The same property on PostgreSQL, through the composed service. Each example has its own log in one database."""

import asyncio
import itertools
from unittest.mock import patch

import asyncpg
from hypothesis import HealthCheck, given, settings

from api.service.composition import Service, ServiceConfig
from ledger.use_cases.issuer import IssuerIdentifier
from tests.builders import FakeClock
from tests.databases import connect
from tests.properties.command_runner import CommandRunner
from tests.properties.commands import sequences
from tests.properties.oracle import ActiveRow
from tests.properties.search_effort import PHASES, count_examples

ACTIVE = """
SELECT digest, jti::text, client_id, subject, scope, audience, issued_at, expires_at
  FROM active_tokens
 WHERE log_id = (SELECT log_id FROM logs WHERE name = $1)
"""

EXAMPLES = count_examples(at_least=20, part=0.05)


class InPostgres:
    def __init__(self, service: Service, clock: FakeClock, connection: asyncpg.Connection) -> None:
        (self.issuer,) = service.issuers
        self.clock = clock
        self._connection = connection

    async def rows(self):
        return await self.issuer.streams.read(0, 1_000_000)

    async def active_rows(self) -> dict[bytes, ActiveRow]:
        rows = await self._connection.fetch(ACTIVE, self.issuer.identifier.log_name)
        return {digest: (*values, tuple(audience), start, end) for digest, *values, audience, start, end in rows}


async def run_example(dsn: str, log_name: str, commands) -> None:
    clock = FakeClock()
    with patch("api.service.composition.utc_now", clock):
        service = Service(ServiceConfig(dsn=dsn, issuers=(IssuerIdentifier(f"http://x/{log_name}"),)))
    async with service, connect(dsn) as connection:
        await CommandRunner(InPostgres(service, clock, connection)).run_all(commands)


def test_view_is_the_fold_of_the_log_and_responses_are_right(database):
    logs = itertools.count(1)
    with asyncio.Runner() as runner:

        @settings(max_examples=EXAMPLES, phases=PHASES, suppress_health_check=[HealthCheck.too_slow])
        @given(sequences)
        def holds(commands):
            runner.run(run_example(database.service_dsn, f"log-{next(logs)}", commands))

        holds()
