"""The context of commands that rebuild, verify and replay projections: the database, the log, the projection."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

import asyncpg
import typer
import uvloop

from api.cli.context import choose_issuer, explain_missing_privilege
from api.cli.flags import SharedFlags, option
from api.cli.output import print_note
from api.cli.progress import show_progress
from api.operations.database import connection_errors, open_database
from api.service.settings import Settings
from ledger.domain.errors import NoLog
from ledger.domain.recording import EventMapper
from ledger.postgres.statements import load_statements
from projections.catalogue import find_projection
from projections.projection import Projection
from projections.rebuilding.builder import Progress

SQL = load_statements("ledger.postgres", "event_log.sql")
CONNECT_TIMEOUT_SECONDS = 10.0

NICE_INCREMENT = 10
"""Lowers the CPU priority of this process below the service's."""

T = TypeVar("T")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The projection, as 'status' names it.")]
Rows = Annotated[int, option("--rows", "How many differing rows are shown; all are counted.", min=1)]


@dataclass(frozen=True)
class ProjectionContext:
    """A projection, and the DSN of a role that may work on it. `progress_bars` are open until the work ends."""

    dsn: str = field(repr=False)
    projection: Projection
    settings: Settings
    issuer: str | None
    progress_bars: ExitStack

    def show_progress(self, what: str) -> Callable[..., Progress]:
        """Return a function that opens a progress bar of so many events, some of them done already."""
        return lambda events, done=0: self.progress_bars.enter_context(show_progress(what, events, already=done))

    async def find_log_id(self) -> int:
        """Find the id of the issuer's log. Raises UsageError, NoLog, Unavailable."""
        name = choose_issuer(self.settings.issuer_identifiers(), self.issuer).log_name
        with connection_errors():
            connection = await asyncpg.connect(self.dsn, timeout=CONNECT_TIMEOUT_SECONDS)
            try:
                log_id: int | None = await connection.fetchval(SQL["find_log"], name)
            finally:
                await connection.close()
        if log_id is None:
            msg = f"there is no log {name!r} in this database: nothing was recorded for this issuer"
            raise NoLog(msg)
        return log_id


def run_on_projection(flags: SharedFlags, name: str, work: Callable[[ProjectionContext], Awaitable[T]]) -> T:
    """Await `work` on a projection, as the owner of the tables if its DSN is known, and return its result.

    Raises UnknownProjection, SettingsError, OperationError, Unavailable.
    """
    settings = flags.load_settings()
    projection = find_projection(name, EventMapper())
    os.nice(NICE_INCREMENT)

    async def run() -> T:
        async with open_database(settings, print_note, build=False, as_owner=True) as dsns:
            with ExitStack() as bars:
                return await work(ProjectionContext(dsns.most_privileged, projection, settings, flags.issuer, bars))

    with explain_missing_privilege(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())
