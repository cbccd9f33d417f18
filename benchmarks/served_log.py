"""A filled log, and the service over it as an operator runs it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.command import log_progress
from benchmarks.contenders.catalogue import OURS
from benchmarks.contenders.contender import Database
from benchmarks.contenders.protocol_check import check_contender
from benchmarks.contenders.token_ledger import CONTENDER, LOG, RunningTokenLedger, migrate_database
from benchmarks.database_server import DatabaseServer
from benchmarks.filled_log import FilledLog, fill_log
from benchmarks.load.target import KnownTokens, LoadTarget
from benchmarks.numbered_tokens import token
from benchmarks.ports import PORTS_PER_CONTENDER, free_ports


@dataclass(frozen=True)
class ServedLog:
    database: Database
    log: FilledLog
    folder: Path

    @contextmanager
    def serve(self, processes: int) -> Iterator[tuple[LoadTarget, RunningTokenLedger]]:
        """Run the service with that many processes."""
        port = free_ports(PORTS_PER_CONTENDER)
        with CONTENDER.serve(self.folder, self.database, port=port, processes=processes) as running:
            live, revoked = check_contender(running)
            tokens = KnownTokens(self.log.tokens.count, token, live, revoked)
            yield LoadTarget(OURS, processes, running, tokens), running


def create_served_log(server: DatabaseServer, folder: Path, tokens: int) -> ServedLog:
    """Create a database with a log of that many tokens. The service keeps its files in the folder."""
    database = server.database("token_ledger")
    migrate_database(database)
    log_progress(f"filling a log with {tokens:,} tokens")
    served = ServedLog(database, asyncio.run(fill_log(database.url, LOG, tokens=tokens)), folder)
    server.checkpoint()
    return served
