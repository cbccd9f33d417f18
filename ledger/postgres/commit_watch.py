"""Notice a commit that a synchronous standby did not confirm.

When the wait for the standby is cancelled, PostgreSQL reports success and a warning. The commit is local, and a
failover may lose it.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import asyncpg

from ledger.postgres.database import Connection

WAIT_CANCELLED = "01000"


class CommitWatch:
    """What the server said while a statement ran."""

    def __init__(self) -> None:
        self.confirmed = True

    def on_log_message(self, _connection: object, message: asyncpg.PostgresLogMessage) -> None:
        """Take a notice or warning of the server."""
        if message.sqlstate == WAIT_CANCELLED:
            self.confirmed = False


@contextmanager
def watch_commit(connection: Connection) -> Iterator[CommitWatch]:
    """Watch the statements inside. Look at `confirmed` after the result of each."""
    watch = CommitWatch()
    connection.add_log_listener(watch.on_log_message)
    try:
        yield watch
    finally:
        with suppress(asyncpg.InterfaceError):  # the connection broke, and its listeners with it
            connection.remove_log_listener(watch.on_log_message)
