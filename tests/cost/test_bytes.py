"""Bytes per event, and per token in each table, its indexes and the write-ahead log."""

import asyncio

import asyncpg
import pytest

from benchmarks.filled_log import fill_log
from ledger.domain.events import EVENT_TYPES
from tests.cost import bounds
from tests.cost.conftest import CAUSE, ISSUER, SETTINGS

TOKENS = 20_000
BATCH = 64
ATTEMPTS = 5

EVENT_SIZES = """
SELECT topic, max(octet_length(payload)) AS payload, max(pg_column_size(e.*)) AS row FROM event_log e GROUP BY topic
"""
TABLE_SIZE = """
SELECT pg_relation_size($1::text::regclass) AS rows, pg_indexes_size($1::text::regclass) AS indexes
"""
WAL_POSITION = "SELECT pg_current_wal_insert_lsn() - '0/0'"


@pytest.fixture
async def superuser(database):
    connection = await asyncpg.connect(database.superuser_dsn)
    yield connection
    await connection.close()


@pytest.fixture
async def _one_event_of_each_type(shop):
    """Record one event of every type."""
    registry = shop.issuer.registry
    issued = await shop.issuer.issuance.issue_token(shop.client, None, CAUSE)
    await shop.issuer.revocation.revoke_token(shop.client, issued.access_token, CAUSE)
    await registry.register("depot", SETTINGS, CAUSE)
    secret_id, _ = await registry.add_generated_secret("depot", CAUSE)
    await registry.retire_secret("depot", secret_id, CAUSE)
    await registry.disable("depot", "closed", CAUSE)
    await registry.enable("depot", CAUSE)
    changed = {name: getattr(SETTINGS, name) for name in SETTINGS.__struct_fields__} | {"name": "A store"}
    await registry.update("depot", type(SETTINGS)(**changed), CAUSE)


@pytest.mark.usefixtures("_one_event_of_each_type")
async def test_bytes_of_an_event_of_each_type(superuser, hold):
    sizes = {row["topic"]: row for row in await superuser.fetch(EVENT_SIZES)}
    assert sizes.keys() == {event.TOPIC for event in EVENT_TYPES} == bounds.PAYLOADS.keys()
    payloads = [(bound, sizes[topic]["payload"]) for topic, bound in bounds.PAYLOADS.items()]
    issued = sizes["token.issued"]
    hold(*payloads, (bounds.ROW_OVERHEAD, issued["row"] - issued["payload"]))


async def test_bytes_of_a_token_in_each_table(database, superuser, hold):
    await fill_log(database.owner_dsn, ISSUER.log_name, tokens=TOKENS)
    sizes = {table: await superuser.fetchrow(TABLE_SIZE, table) for table in bounds.TABLES}
    hold(
        *((rows, sizes[table]["rows"] / TOKENS) for table, (rows, _) in bounds.TABLES.items()),
        *((indexes, sizes[table]["indexes"] / TOKENS) for table, (_, indexes) in bounds.TABLES.items()),
    )


async def test_bytes_of_a_token_in_the_write_ahead_log(shop, superuser, hold):
    issuance, revocation = shop.issuer.issuance, shop.issuer.revocation

    async def written(run):
        before = await superuser.fetchval(WAL_POSITION)
        answers = await asyncio.gather(*run)
        return answers, (await superuser.fetchval(WAL_POSITION) - before) / BATCH

    issuances, revocations = [], []
    for _ in range(ATTEMPTS):
        tokens, size = await written(issuance.issue_token(shop.client, None, CAUSE) for _ in range(BATCH))
        issuances.append(size)
        _, size = await written(revocation.revoke_token(shop.client, token.access_token, CAUSE) for token in tokens)
        revocations.append(size)
    # Take the minimum: other databases share the server, and a page is logged whole after a checkpoint.
    hold((bounds.WAL_OF_AN_ISSUANCE, min(issuances)), (bounds.WAL_OF_A_REVOCATION, min(revocations)))
