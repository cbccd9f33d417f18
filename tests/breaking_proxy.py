"""A TCP proxy for PostgreSQL that breaks connections at commit, when the outcome is unknown."""

import asyncio
import contextlib
from enum import Enum, auto

from tests.database_proxy import DatabaseProxy

APPENDED = b"thing.happened"
"""The topic of an event that tests append: it is in the message that calls append_events."""


class AtCommit(Enum):
    """What happens to the next commit."""

    PASS = auto()
    LOSE_ANSWER = auto()  # the server commits; its response never arrives
    LOSE_REQUEST = auto()  # the commit never arrives; the server sees the connection close
    ARRIVE_LATE = auto()  # the client's connection breaks; the server gets the commit later


class BreakingProxy(DatabaseProxy):
    """Forwards to the server of a DSN. `at_commit` applies to one commit and is then reset to PASS."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.at_commit = AtCommit.PASS
        self.commit = APPENDED
        """Bytes of the message that commits."""
        self.refuse_after_break = False
        self.refusing = False
        self.broken = asyncio.Event()
        self.late = asyncio.Event()
        self.arrived = asyncio.Event()

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        if self.refusing:
            to_client.transport.abort()
            return
        server, to_server = await self._open()
        answers = asyncio.create_task(self._copy(server, to_client))
        self._tasks.add(answers)
        try:
            while data := await client.read(65536):
                if self.commit in data and self.at_commit is not AtCommit.PASS:
                    await self._break(data, answers, to_client, to_server)
                    return
                to_server.write(data)
                await to_server.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            answers.cancel()
            to_server.close()
            to_client.close()

    async def _break(
        self,
        commit: bytes,
        answers: asyncio.Task[None],
        to_client: asyncio.StreamWriter,
        to_server: asyncio.StreamWriter,
    ) -> None:
        how, self.at_commit = self.at_commit, AtCommit.PASS
        self.refusing = self.refuse_after_break
        answers.cancel()
        if how is AtCommit.LOSE_ANSWER:
            to_server.write(commit)
            await to_server.drain()
        elif how is AtCommit.LOSE_REQUEST:
            to_server.close()
        to_client.transport.abort()
        self.broken.set()
        if how is AtCommit.ARRIVE_LATE:
            await self.late.wait()
            with contextlib.suppress(ConnectionError):
                to_server.write(commit)
                await to_server.drain()
            self.arrived.set()

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()
