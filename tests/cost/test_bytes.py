"""How many bytes an event takes, and a token in each table, its indexes, and the write-ahead log."""

import asyncio

import asyncpg
import pytest

from benchmarks.filled_log import fill
from ledger.domain.events import EVENT_TYPES
from tests.cost import bounds
from tests.cost.conftest import CAUSE, ISSUER, SETTINGS

TOKENS = 20_000
BATCH = 64
ATTEMPTS = 5

SIZES = """
SELECT topic, max(octet_length(payload)) AS payload, max(pg_column_size(e.*)) AS row FROM event_log e GROUP BY topic
"""
OF_TABLE = """
SELECT pg_relation_size($1::text::regclass) AS rows, pg_indexes_size($1::text::regclass) AS indexes
"""
WRITTEN = "SELECT pg_current_wal_insert_lsn() - '0/0'"


@pytest.fixture
async def superuser(database):
    connection = await asyncpg.connect(database.superuser_dsn)
    yield connection
    await connection.close()


@pytest.fixture
async def one_of_each(shop):
    """Every event that there is was recorded."""
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


@pytest.mark.usefixtures("one_of_each")
async def test_of_an_event_of_each_type(superuser, hold):
    sizes = {row["topic"]: row for row in await superuser.fetch(SIZES)}
    assert sizes.keys() == {event.TOPIC for event in EVENT_TYPES} == bounds.PAYLOADS.keys()
    payloads = [(bound, sizes[topic]["payload"]) for topic, bound in bounds.PAYLOADS.items()]
    issued = sizes["token.issued"]
    hold(*payloads, (bounds.BESIDE_THE_PAYLOAD, issued["row"] - issued["payload"]))


async def test_of_a_token_in_each_table(database, superuser, hold):
    await fill(database.owner_dsn, ISSUER.log_name, tokens=TOKENS)
    sizes = {table: await superuser.fetchrow(OF_TABLE, table) for table in bounds.TABLES}
    hold(
        *((rows, sizes[table]["rows"] / TOKENS) for table, (rows, _) in bounds.TABLES.items()),
        *((indexes, sizes[table]["indexes"] / TOKENS) for table, (_, indexes) in bounds.TABLES.items()),
    )


async def test_of_the_write_ahead_log_that_a_token_takes(shop, superuser, hold):
    issuance, revocation = shop.issuer.issuance, shop.issuer.revocation

    async def written(run):
        before = await superuser.fetchval(WRITTEN)
        answers = await asyncio.gather(*run)
        return answers, (await superuser.fetchval(WRITTEN) - before) / BATCH

    issuances, revocations = [], []
    for _ in range(ATTEMPTS):
        tokens, size = await written(issuance.issue_token(shop.client, None, CAUSE) for _ in range(BATCH))
        issuances.append(size)
        _, size = await written(revocation.revoke_token(shop.client, token.access_token, CAUSE) for token in tokens)
        revocations.append(size)
    # The least of them: others may write to the same server, and a page may be logged whole after a checkpoint.
    hold((bounds.WAL_OF_AN_ISSUANCE, min(issuances)), (bounds.WAL_OF_A_REVOCATION, min(revocations)))
