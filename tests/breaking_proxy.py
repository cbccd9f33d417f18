"""A TCP proxy before PostgreSQL that breaks the connection at commit, the one moment when an outcome is unknown."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from enum import Enum, auto
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = b"COMMIT;\x00"


class AtCommit(Enum):
    """What happens to the next commit that comes by."""

    PASS = auto()
    LOSE_ANSWER = auto()  # it is carried out; its answer never arrives
    LOSE_REQUEST = auto()  # it never arrives, and the server is told that the client is gone
    ARRIVE_LATE = auto()  # the client sees its connection break; the server gets the commit a while after


class BreakingProxy:
    """Forwards to the server of a DSN. `at_commit` applies once, then goes back to PASS."""

    def __init__(self, dsn: str) -> None:
        self._parts = urlsplit(dsn)
        self.at_commit = AtCommit.PASS
        self.also_commits: bytes | None = None
        """What else is a commit: bytes of an event that is appended in one statement."""
        self.refuse_after_break = False
        self.refusing = False
        self.broken = asyncio.Event()
        self.late = asyncio.Event()
        self._port = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def dsn(self) -> str:
        user = self._parts.username or unquote(parse_qs(self._parts.query)["user"][0])
        password = f":{self._parts.password}" if self._parts.password else ""
        return f"postgresql://{user}{password}@127.0.0.1:{self._port}{self._parts.path}?sslmode=disable"

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["BreakingProxy"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
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

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host = parse_qs(self._parts.query).get("host", [self._parts.hostname])[0]
        if host is not None and host.startswith("/"):
            return await asyncio.open_unix_connection(f"{unquote(host)}/.s.PGSQL.{self._parts.port or 5432}")
        return await asyncio.open_connection(host, self._parts.port or 5432)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(to_client)
        if self.refusing:
            to_client.transport.abort()
            return
        server, to_server = await self._open()
        self._writers.add(to_server)
        answers = asyncio.create_task(self._copy(server, to_client))
        self._tasks.add(answers)
        try:
            while data := await client.read(65536):
                if self._commits(data) and self.at_commit is not AtCommit.PASS:
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

    def _commits(self, data: bytes) -> bool:
        return data.endswith(COMMIT) or (self.also_commits is not None and self.also_commits in data)

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
            to_server.write(commit)
            await to_server.drain()

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()
