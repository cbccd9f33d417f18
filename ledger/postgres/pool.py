"""Connections that are kept and lent, at most so many.

The library's own pool takes as much processor time to lend a connection as a small query takes altogether: it makes a
proxy, a future and a timer each time, and resets a session that nothing of the service ever changes. That is half of
what a batch of look-ups costs.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]  # it takes parameters for a type checker only
else:
    Connection = asyncpg.Connection


class Pool:
    """Lends connections. The one that came back last is lent first: it has prepared what is asked again and again."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], size: int) -> None:
        """Nothing is connected before it is needed. `connect` makes a connection."""
        self._connect = connect
        self._size = size
        self._idle: list[Connection] = []
        self._lent: set[Connection] = set()
        self._connecting = 0
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._closed = False
        self._all_back = asyncio.Event()

    async def acquire(self) -> Connection:
        """A connection that is open as far as is known, for the caller alone until it is released.

        Waits in line while all are lent. Raises what `connect` raises, and InterfaceError when the pool is closed.
        """
        if self._closed:
            msg = "the pool is closed"
            raise asyncpg.InterfaceError(msg)
        connection = self._take_idle()
        if connection is None and len(self._lent) + self._connecting >= self._size:
            connection = await self._wait_in_line()
        if connection is None:
            connection = await self._make()
        self._lent.add(connection)
        return connection

    def release(self, connection: Connection, *, broken: bool) -> None:
        """Take a connection back. One that is broken, or still in a transaction, is ended and replaced when needed."""
        self._lent.discard(connection)
        if broken or self._closed or connection.is_closed() or connection.is_in_transaction():
            connection.terminate()
            if not self._closed:
                self._let_the_next(None)
        elif not self._let_the_next(connection):
            self._idle.append(connection)
        if self._closed and not self._lent:
            self._all_back.set()

    async def close(self) -> None:
        """Lend no more, and return once every connection has come back and is closed."""
        self._refuse_all()
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()
        if self._lent:
            await self._all_back.wait()

    def terminate(self) -> None:
        """End every connection, also those that are lent."""
        self._refuse_all()
        for connection in (*self._idle, *self._lent):
            connection.terminate()
        self._idle.clear()

    def _take_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None

    async def _wait_in_line(self) -> Connection | None:
        """A connection that came back, or None where one is to be made. One who leaves passes it on."""
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            connection = await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._pass_on(waiter.result())
            raise
        if connection is None:
            self._connecting -= 1  # it was counted for us, so that nobody else came between
        return connection

    async def _make(self) -> Connection:
        self._connecting += 1
        try:
            connection = await self._connect()
        except BaseException:
            self._connecting -= 1
            self._let_the_next(None)
            raise
        self._connecting -= 1
        if self._closed:
            connection.terminate()
            msg = "the pool is closed"
            raise asyncpg.InterfaceError(msg)
        return connection

    def _let_the_next(self, connection: Connection | None) -> bool:
        """Give the first in line this connection, or the place to make one; whether anybody was in line."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                if connection is None:
                    self._connecting += 1
                else:
                    self._lent.add(connection)
                waiter.set_result(connection)
                return True
        return False

    def _pass_on(self, connection: Connection | None) -> None:
        if connection is not None:
            self.release(connection, broken=False)
        else:
            self._connecting -= 1
            self._let_the_next(None)

    def _refuse_all(self) -> None:
        self._closed = True
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(asyncpg.InterfaceError("the pool is closed"))
