"""Hearing that a log has grown: LISTEN on one connection of the process.

It is a wake-up and nothing more. A notification may be missed while the connection is away, so whoever waits here also
looks for itself from time to time.
"""

import asyncio
from contextlib import suppress

import asyncpg

from ledger.postgres.database import CONNECT_SECONDS, CONNECTION_ERRORS, SESSION

CHANNEL = "token_ledger"

RECONNECT_SECONDS = 1.0
ALIVE_SECONDS = 10.0
"""How often the connection is asked whether it still is one: a network can lose it without a word."""


class LogNotifications:
    """Tells those who wait that a log has grown."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._heads: dict[int, int] = {}
        self._waiting: dict[int, set[asyncio.Future[None]]] = {}
        self._task: asyncio.Task[None] | None = None
        self.listening = False
        """Whether notifications are heard now."""

    async def wait(self, log_id: int, *, beyond: int, seconds: float) -> None:
        """Return once the log is known to have grown beyond a position, or after so long."""
        if self._task is None:
            self._task = asyncio.create_task(self._listen())
        if self._heads.get(log_id, 0) > beyond:
            return
        news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(log_id, set())
        waiting.add(news)
        try:
            with suppress(TimeoutError):
                # Unlike wait_for, this passes a cancellation on that comes together with the news.
                async with asyncio.timeout(seconds):
                    await news
        finally:
            waiting.discard(news)

    async def close(self) -> None:
        """Hear no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except CONNECTION_ERRORS:
                pass
            finally:
                self.listening = False
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen_once(self) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=CONNECT_SECONDS, server_settings=SESSION)
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            await connection.add_listener(CHANNEL, self._on_notify)
            self.listening = True
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(ALIVE_SECONDS):
                        await lost.wait()
                    return
                await connection.execute("SELECT 1", timeout=CONNECT_SECONDS)
        finally:
            connection.terminate()

    def _on_notify(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        log, _, head = str(payload).partition(":")
        if not (log.isdecimal() and head.isdecimal()):
            return
        log_id = int(log)
        self._heads[log_id] = max(self._heads.get(log_id, 0), int(head))
        for news in self._waiting.get(log_id, ()):
            if not news.done():
                news.set_result(None)
