"""What tests of a log as a whole have in common: restoring one, and changing one past every privilege."""

from collections.abc import Iterable, Sequence

import asyncpg

from ledger.archive.export_reader import ExportReader
from ledger.domain.recording import EventMapper
from ledger.postgres.archive.restoration import Restoration
from ledger.postgres.inline import InlineProjection
from ledger.postgres.logs import Log
from projections.catalogue import inline_projections


def ignore_progress(_events: int) -> None:
    pass


async def restore(log: Log, lines: Iterable[bytes], inline: Sequence[InlineProjection] | None = None) -> None:
    """Import an export, as the command does."""
    views = inline_projections(EventMapper()) if inline is None else inline
    await Restoration(log, ExportReader(iter(lines)), views, ignore_progress).run()


async def tamper(database, *statements: str) -> None:
    connection = await asyncpg.connect(database.superuser_dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def rows_of(database) -> dict[str, list[tuple]]:
    """Everything that is in the tables of the ledger, but for which logs there are."""
    connection = await asyncpg.connect(database.superuser_dsn)
    try:
        return {
            "event_log": [
                tuple(r) for r in await connection.fetch("SELECT * FROM event_log ORDER BY log_id, position")
            ],
            "log_head": [tuple(r) for r in await connection.fetch("SELECT log_id, position FROM log_head")],
            "active_tokens": [tuple(r) for r in await connection.fetch("SELECT * FROM active_tokens ORDER BY digest")],
            "clients": [tuple(r) for r in await connection.fetch("SELECT * FROM clients ORDER BY client_id")],
        }
    finally:
        await connection.close()
