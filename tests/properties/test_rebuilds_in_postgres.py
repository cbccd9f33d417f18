"""For any history, a rebuilt, verified or replayed projection equals what the service wrote and the fold of the log.

A rebuild leaves expired tokens out. Verification succeeds with and without them.
"""

import asyncio
import itertools
import time

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.service.composition import Service, ServiceConfig
from ledger.domain.recording import EventMapper
from ledger.use_cases.issuer import IssuerIdentifier
from projections.active_tokens import COLUMNS, ActiveTokensProjection
from projections.catalogue import PROJECTIONS
from projections.expiry_sweep import GRACE_SECONDS
from projections.rebuilding import throttle
from projections.rebuilding.rebuild import rebuild_projection
from projections.rebuilding.replay import find_changes, replay_projection
from projections.rebuilding.verification import verify_projection
from tests.memory.views import MemoryActiveTokens, MemoryClients
from tests.properties.search_effort import PHASES, count_examples
from tests.properties.token_histories import CatchUp, Historian, histories

EXAMPLES = count_examples(at_least=15, part=0.1)
TABLES = [table for declaration in PROJECTIONS for table in declaration.tables]

EXPIRES_AT = COLUMNS.index("expires_at")

pages = st.sampled_from([1, 2, 3, 7, 1000])
"""Positions per page. The page size must not show in the rows."""


def rows_unexpired(written) -> set[tuple]:
    """Return the rows of active_tokens that a rebuild at this moment keeps."""
    expired_by = str(int(time.time()) - GRACE_SECONDS)
    return {row for row in written["active_tokens"] if row[EXPIRES_AT] > expired_by}


class Example:
    """A new log in the database, with its own history."""

    def __init__(self, database, number: int) -> None:
        self._dsn = database.owner_dsn
        self._log_id = number
        issuer = IssuerIdentifier(f"http://x/log-{number}")
        self._service = Service(ServiceConfig(dsn=database.service_dsn, issuers=(issuer,)))
        (self._issuer,) = self._service.issuers

    async def run(self, history, page: int, of: int) -> None:
        self._connection = await asyncpg.connect(self._dsn)
        try:
            throttle.PAGE_POSITIONS = page
            rows = await self._record(history)
            written = await self._rows("public")
            await self._compare_with_the_fold(rows, written)
            before = rows_unexpired(written)
            await self._rebuild(page)
            rebuilt = await self._rows("public")
            assert rows_unexpired(written) <= rebuilt["active_tokens"] <= before
            assert rebuilt == written | {"active_tokens": rebuilt["active_tokens"]}
            await self._replay(rows, of % (len(rows) + 1), written)
        finally:
            throttle.PAGE_POSITIONS = 10_000
            await self._connection.close()
            await self._service.close()

    async def _record(self, history):
        historian, event_log = Historian(), self._issuer.streams
        await event_log.append(historian.clients())
        for batch in history:
            if writes := historian.writes(batch):
                await event_log.append(writes)
            if CatchUp() in batch:
                await self._service.catch_up()
        await self._service.catch_up()
        return await event_log.read(0, 10_000)

    async def _rows(self, schema: str):
        rows = {}
        for table in TABLES:
            statement = f"SELECT * FROM {schema}.{table} WHERE log_id = $1"  # noqa: S608
            rows[table] = {tuple(map(str, row)) for row in await self._connection.fetch(statement, self._log_id)}
        return rows

    async def _compare_with_the_fold(self, rows, written) -> None:
        tokens, clients = MemoryActiveTokens(EventMapper()), MemoryClients(EventMapper())
        tokens.fold(rows)
        clients.fold(rows)
        assert len(written["active_tokens"]) == len(tokens._tokens)
        for client in await clients.list_all():
            assert await self._issuer.clients.get(client.client_id) == client
        for digest in tokens._tokens:
            assert await self._issuer.audit.tokens._active_tokens.get(digest) == await tokens.get(digest)

    async def _rebuild(self, page: int) -> None:
        for declaration in PROJECTIONS:
            projection = declaration(EventMapper())
            await self._verify(projection)
            await rebuild_projection(self._dsn, projection, holder="test")
            await self._verify(projection)

    async def _verify(self, projection) -> None:
        found = await verify_projection(self._dsn, projection, log_id=self._log_id, limit=3)
        assert found.equal, found

    async def _replay(self, rows, position: int, written) -> None:
        """A replay as of a position equals a log that ends there, and the diff of two replays is exact."""
        for declaration in PROJECTIONS:
            projection = declaration(EventMapper())
            for schema, until in (("half", position), ("whole", len(rows))):
                name = f"{schema}_{declaration.name}"
                await replay_projection(self._dsn, projection, self._log_id, until=until, schema=name)
            whole = {t: await self._in(f"whole_{declaration.name}", t) for t in declaration.tables}
            half = {t: await self._in(f"half_{declaration.name}", t) for t in declaration.tables}
            assert whole == {t: found for t, found in written.items() if t in whole}
            if declaration is ActiveTokensProjection:
                tokens = MemoryActiveTokens(EventMapper())
                tokens.fold(rows[:position])
                assert {row[1] for row in half["active_tokens"]} == set(map(str, tokens._tokens))
            points = position, len(rows)
            found = await find_changes(self._dsn, projection, self._log_id, points=points, limit=1000)
            unchanged = sum(len(half[t] & whole[t]) for t in whole)
            came = sum(d.before is None for d in found.differences.first)
            went = sum(d.after is None for d in found.differences.first)
            assert sum(map(len, whole.values())) == unchanged + found.differences.count - went
            assert sum(map(len, half.values())) == unchanged + found.differences.count - came
            await self._connection.execute(f"DROP SCHEMA whole_{declaration.name}, half_{declaration.name} CASCADE")

    async def _in(self, schema: str, table: str):
        rows = await self._connection.fetch(f"SELECT * FROM {schema}.{table}")  # noqa: S608
        return {tuple(map(str, row)) for row in rows}


def test_rebuild_equals_what_was_written_and_the_fold_of_the_log(database):
    numbers = itertools.count(1)
    with asyncio.Runner() as runner:

        @settings(max_examples=EXAMPLES, phases=PHASES, suppress_health_check=[HealthCheck.too_slow])
        @given(histories, pages, st.integers(0, 60))
        def holds(history, page, of):
            runner.run(Example(database, next(numbers)).run(history, page, of))

        holds()
