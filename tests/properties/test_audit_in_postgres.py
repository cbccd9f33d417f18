"""Audit responses equal the fold of the log: at any position and instant, for any query and page size."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from api.service.composition import Service, ServiceConfig
from ledger.domain.recording import EventMapper, VersionConflict
from ledger.use_cases.audit import ActivityQuery, EventQuery
from ledger.use_cases.issuer import IssuerIdentifier
from tests.memory.audit_trail import MemoryAuditTrail
from tests.properties.search_effort import PHASES, count_examples
from tests.properties.token_histories import (
    CLIENTS,
    CatchUp,
    Historian,
    Rows,
    event_queries,
    histories,
    token_queries,
)

EXAMPLES = count_examples(at_least=50, part=0.1)

queries = st.fixed_dictionaries(
    {
        "tokens": st.lists(token_queries, min_size=4, max_size=8, unique=True),
        "events": st.lists(event_queries, min_size=4, max_size=8, unique=True),
        "page": st.sampled_from([1, 2, 3, 100]),
        "of": st.integers(0, 60),
    }
)


RECENT = timedelta(seconds=100)


async def all_pages(trail, query, moment, limit):
    tokens, before = [], None
    while True:
        page = await trail.tokens.find_tokens(query, moment, before=before, limit=limit)
        assert len(page.tokens) <= limit
        tokens.extend(page.tokens)
        if page.before is None:
            return tokens
        assert before is None or page.before < before
        before = page.before


async def all_events(trail, query, after, limit):
    events = []
    while True:
        page = await trail.events.find_events(query, after=after, limit=limit)
        assert len(page.events) <= limit
        events.extend(page.events)
        assert page.position >= after
        if page.ended:
            return events, page.position
        after = page.position


def instants(rows, of):
    """An instant at which something was recorded, and the microseconds around it."""
    at = rows[of % len(rows)].recorded_at
    return [at + timedelta(microseconds=beside) for beside in (-1, 0, 1)]


def past(expiries):
    now = datetime.now(UTC)
    return [
        at + timedelta(microseconds=beside) for at in expiries for beside in (-1, 0) if timedelta() < now - at < RECENT
    ]


class Example:
    def __init__(self, dsn: str, log_name: str) -> None:
        self._service = Service(ServiceConfig(dsn=dsn, issuers=(IssuerIdentifier(f"http://x/{log_name}"),)))
        (self._issuer,) = self._service.issuers
        self.trail = self._issuer.audit

    async def run(self, history, queries) -> None:
        try:
            historian = Historian()
            rows = await self._record(historian, history)
            fold = MemoryAuditTrail(Rows(rows), mapper=EventMapper(), clock=lambda: datetime.now(UTC))
            await self._check_tokens(fold, historian, rows, queries)
            await self._check_events(fold, rows, queries)
            await self._check_each_token_and_client(fold, historian)
            await self._check_activity(fold)
        finally:
            await self._service.close()

    async def _record(self, historian, history):
        event_log = self._issuer.streams
        await event_log.append(historian.clients())
        for batch in history:
            if writes := historian.writes(batch):
                results = await event_log.append(writes)
                assert not any(isinstance(result, VersionConflict) for result in results)
            if CatchUp() in batch:
                await self._service.catch_up()
        await self._service.catch_up()
        return await event_log.read(0, 10_000)

    async def _check_tokens(self, fold, historian, rows, queries):
        revoked = [row.position for row in rows if row.topic == "token.revoked"]
        positions = {0, len(rows), queries["of"] % len(rows), *revoked[-2:]}
        for as_of in (*positions, *instants(rows, queries["of"]), *past(historian.expiries)):
            moment = await self.trail.moments.resolve(as_of)
            assert moment == await fold.moments.resolve(as_of)
            for query in queries["tokens"]:
                await self._compare_tokens(fold, query, moment, queries["page"])
        for after, before in itertools.combinations_with_replacement(instants(rows, queries["of"]), 2):
            query = replace(queries["tokens"][0], issued_after=after, issued_before=before)
            await self._compare_tokens(fold, query, await self.trail.moments.resolve(), queries["page"])

    async def _compare_tokens(self, fold, query, moment, limit):
        expected = await all_pages(fold, query, moment, 1000)
        assert await all_pages(self.trail, query, moment, limit) == expected

    async def _check_events(self, fold, rows, queries):
        for query in queries["events"]:
            await self._compare_events(fold, query, queries["of"] % 7, queries["page"])
        for since, until in itertools.combinations_with_replacement(instants(rows, queries["of"]), 2):
            query = replace(queries["events"][0], since=since, until=until)
            await self._compare_events(fold, query, 0, queries["page"])
        for last in [row for row in rows if row.topic == "token.revoked"][-2:]:
            for about in ({"client_id": "shop"}, {"client_id": "depot"}, {"subject": "shop"}, {"subject": "ana"}):
                query = EventQuery(until=last.recorded_at, **about)
                await self._compare_events(fold, query, 0, queries["page"])

    async def _compare_events(self, fold, query, after, limit):
        expected = await all_events(fold, query, after, 1000)
        assert await all_events(self.trail, query, after, limit) == expected

    async def _check_each_token_and_client(self, fold, historian):
        for digest, jti in historian.digests.items():
            assert await self.trail.tokens.find_jti(digest) == jti
            assert await self.trail.tokens.find_token(jti) == await fold.tokens.find_token(jti)
            assert await self.trail.events.read_token_events(jti) == await fold.events.read_token_events(jti)
        for client in (*CLIENTS, "nobody"):
            assert await self.trail.events.read_client_events(client) == await fold.events.read_client_events(client)

    async def _check_activity(self, fold):
        now = int(datetime.now(UTC).timestamp())
        for unit in (60, 3600, 86400):
            end = now // unit * unit + unit
            windows = ((end - 3 * unit, end), (end - unit, end), (end, end + 2 * unit))
            for (first, last), client_id in itertools.product(windows, (None, "shop")):
                query = ActivityQuery(
                    since=datetime.fromtimestamp(first, UTC),
                    until=datetime.fromtimestamp(last, UTC),
                    bucket=unit,
                    client_id=client_id,
                )
                assert await self.trail.activity.summarize(query, clients=2) == await fold.activity.summarize(
                    query, clients=2
                )


def test_audit_responses_equal_the_fold_of_the_log(database):
    logs = itertools.count(1)
    with asyncio.Runner() as runner:

        @settings(max_examples=EXAMPLES, phases=PHASES, suppress_health_check=[HealthCheck.too_slow])
        @given(histories, queries)
        def holds(history, queries):
            runner.run(Example(database.service_dsn, f"log-{next(logs)}").run(history, queries))

        holds()
