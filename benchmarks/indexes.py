"""Taking the indexes off tables that are about to be filled, and making them again as they were."""

import asyncio
from collections.abc import Mapping, Sequence

import asyncpg

CONSTRAINTS = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS drop,
       format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) AS make
  FROM pg_constraint WHERE conrelid = $1::text::regclass AND contype IN ('p', 'u') ORDER BY contype
"""
INDEXES = """
SELECT format('DROP INDEX %s', indexrelid::regclass) AS drop, pg_get_indexdef(indexrelid) AS make
  FROM pg_index WHERE indrelid = $1::text::regclass
   AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid) ORDER BY indexrelid
"""
MEMORY = {"maintenance_work_mem": "512MB"}


async def drop_indexes(connection: asyncpg.Connection, tables: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Drop every index and key of these tables; returns, by table, the statements that make them."""
    making = {}
    for table in tables:
        found = [*await connection.fetch(CONSTRAINTS, table), *await connection.fetch(INDEXES, table)]
        for row in found:
            await connection.execute(row["drop"])
        making[table] = [row["make"] for row in found]
    return making


async def make_indexes(dsn: str, making: Mapping[str, Sequence[str]]) -> None:
    """Make them, of all tables at once and of each table one after the other."""

    async def make(statements: Sequence[str]) -> None:
        connection = await asyncpg.connect(dsn, server_settings=MEMORY)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    await asyncio.gather(*map(make, making.values()))
