"""A log that is filled, and the service over it as an operator runs it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders.catalogue import OURS
from benchmarks.contenders.contender import Database
from benchmarks.contenders.exchange import exchange
from benchmarks.contenders.token_ledger import CONTENDER, LOG, TokenLedgerRunning, migrated
from benchmarks.database_server import DatabaseServer
from benchmarks.filled_log import FilledLog, fill
from benchmarks.load.subject import Asked, Subject
from benchmarks.measuring import say
from benchmarks.numbered_tokens import token
from benchmarks.ports import free_ports

PORTS = 10


@dataclass(frozen=True)
class ServedLog:
    """A database that is filled, and how to serve it."""

    database: Database
    log: FilledLog
    folder: Path

    @contextmanager
    def by(self, processes: int) -> Iterator[tuple[Subject, TokenLedgerRunning]]:
        """Within, the service runs in so many processes."""
        port = free_ports(PORTS)
        with CONTENDER.running(self.folder, self.database, port=port, processes=processes) as running:
            live, revoked = exchange(running)
            asked = Asked(self.log.tokens.count, token, live, revoked)
            yield Subject(OURS, processes, running, asked), running


def filled(server: DatabaseServer, folder: Path, tokens: int) -> ServedLog:
    """A new database with a log of so many tokens. The service keeps its files in the folder."""
    database = server.database("token_ledger")
    migrated(database)
    say(f"{tokens:,} tokens")
    served = ServedLog(database, asyncio.run(fill(database.url, LOG, tokens=tokens)), folder)
    server.checkpoint()
    return served
