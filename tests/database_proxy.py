"""A TCP proxy for PostgreSQL, for tests that observe or break connections."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit


class DatabaseProxy(ABC):
    """Forwards connections to the server of a DSN, by TCP or Unix socket."""

    def __init__(self, dsn: str) -> None:
        self._parts = urlsplit(dsn)
        self._port = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def dsn(self) -> str:
        """The DSN of the same database and role through the proxy."""
        user = self._parts.username or unquote(parse_qs(self._parts.query)["user"][0])
        password = f":{self._parts.password}" if self._parts.password else ""
        return f"postgresql://{user}{password}@127.0.0.1:{self._port}{self._parts.path}?sslmode=disable"

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in list(self._writers):
                writer.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await server.wait_closed()

    async def _accept(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(to_client)
        await self._serve(client, to_client)

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host = parse_qs(self._parts.query).get("host", [self._parts.hostname])[0]
        if host is not None and host.startswith("/"):
            server, to_server = await asyncio.open_unix_connection(
                f"{unquote(host)}/.s.PGSQL.{self._parts.port or 5432}"
            )
        else:
            server, to_server = await asyncio.open_connection(host, self._parts.port or 5432)
        self._writers.add(to_server)
        return server, to_server

    @abstractmethod
    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """Forward one connection until it ends."""
