"""Counts queries and round trips to PostgreSQL on the wire."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from tests.database_proxy import DatabaseProxy

LENGTH = 4
EXECUTE, SIMPLE_QUERY, PARSE = b"E", b"Q", b"P"


@dataclass
class Counts:
    """A round trip is counted when a connection sends after it has received."""

    queries: int = 0
    round_trips: int = 0
    prepared: int = 0


class CountingProxy(DatabaseProxy):
    """Counts what it forwards since `start`."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.counts = Counts()

    def start(self) -> Counts:
        """Count from zero; return the counts, which keep growing."""
        self.counts = Counts()
        return self.counts

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await self._open()
        connection = _Connection(self)
        responses = asyncio.create_task(self._forward_responses(connection, server, to_client))
        self._tasks.add(responses)
        # The startup message has no type byte.
        startup = await client.readexactly(LENGTH)
        to_server.write(startup + await client.readexactly(int.from_bytes(startup) - LENGTH))
        with suppress(ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            while True:
                head = await client.readexactly(1 + LENGTH)
                body = await client.readexactly(int.from_bytes(head[1:]) - LENGTH)
                connection.count(head[:1])
                to_server.write(head + body)
        responses.cancel()
        to_server.close()
        to_client.close()

    async def _forward_responses(
        self, connection: "_Connection", server: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        with suppress(ConnectionError):
            while data := await server.read(65536):
                connection.received = True
                to_client.write(data)
        to_client.close()


class _Connection:
    def __init__(self, proxy: CountingProxy) -> None:
        self._proxy = proxy
        self.received = True

    def count(self, message: bytes) -> None:
        counts = self._proxy.counts
        counts.queries += message in {EXECUTE, SIMPLE_QUERY}
        counts.prepared += message == PARSE
        counts.round_trips += self.received
        self.received = False
