"""The pool lends each connection to one at a time, never more than its size, and none that is broken."""

import asyncio

import asyncpg
import pytest

from ledger.postgres.pool import Pool


class FakeConnection:
    def __init__(self, number: int) -> None:
        self.number = number
        self.closed = False
        self.in_transaction = False

    def is_closed(self) -> bool:
        return self.closed

    def is_in_transaction(self) -> bool:
        return self.in_transaction

    def terminate(self) -> None:
        self.closed = True

    async def close(self) -> None:
        self.closed = True


class Server:
    """Makes connections, or refuses to."""

    def __init__(self) -> None:
        self.made: list[FakeConnection] = []
        self.away = False

    async def connect(self) -> FakeConnection:
        await asyncio.sleep(0)
        if self.away:
            raise OSError
        self.made.append(FakeConnection(len(self.made)))
        return self.made[-1]


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def pool(server):
    return Pool(server.connect, 2)


async def in_line(pool: Pool) -> asyncio.Task:
    """One who waits for a connection."""
    task = asyncio.create_task(pool.acquire())
    for _ in range(3):
        await asyncio.sleep(0)
    assert not task.done()
    return task


async def test_nothing_is_connected_before_it_is_needed(pool, server):
    assert server.made == []
    await pool.acquire()
    assert len(server.made) == 1


async def test_the_one_that_came_back_last_is_lent_first(pool, server):
    a, b = await pool.acquire(), await pool.acquire()
    pool.release(a, broken=False)
    pool.release(b, broken=False)
    assert await pool.acquire() is b
    assert await pool.acquire() is a
    assert len(server.made) == 2


async def test_no_more_than_its_size_are_lent_and_the_first_in_line_is_served_first(pool, server):
    a, b = await pool.acquire(), await pool.acquire()
    first, second = await in_line(pool), await in_line(pool)
    pool.release(b, broken=False)
    assert await first is b
    assert not second.done()
    pool.release(a, broken=False)
    assert await second is a
    assert len(server.made) == 2


async def test_many_at_once_make_no_more_than_its_size(pool, server):
    tasks = [asyncio.create_task(pool.acquire()) for _ in range(5)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert [task.done() for task in tasks] == [True, True, False, False, False]
    assert len(server.made) == 2
    for task in tasks:
        pool.release(await task, broken=False)
    assert len(server.made) == 2


@pytest.mark.parametrize("how", ["broken", "closed", "in a transaction"])
async def test_one_that_is_not_fit_is_ended_and_replaced(pool, server, how):
    connection = await pool.acquire()
    connection.closed = how == "closed"
    connection.in_transaction = how == "in a transaction"
    pool.release(connection, broken=how == "broken")
    assert connection.closed
    assert await pool.acquire() is not connection


async def test_one_that_broke_while_idle_is_not_lent(pool):
    connection = await pool.acquire()
    pool.release(connection, broken=False)
    connection.closed = True
    assert await pool.acquire() is not connection


async def test_who_waits_gets_a_new_one_when_one_comes_back_broken(pool, server):
    a, _ = await pool.acquire(), await pool.acquire()
    waiting = await in_line(pool)
    pool.release(a, broken=True)
    assert (await waiting).number == 2
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(pool.acquire(), 0.01)


async def test_when_none_can_be_made_all_who_wait_hear_of_it_in_turn(pool, server):
    a, b = await pool.acquire(), await pool.acquire()
    waiting = [await in_line(pool), await in_line(pool)]
    server.away = True
    pool.release(a, broken=True)
    pool.release(b, broken=True)
    assert [type(error) for error in await asyncio.gather(*waiting, return_exceptions=True)] == [OSError, OSError]
    server.away = False
    await pool.acquire()
    await pool.acquire()


async def test_one_who_leaves_the_line_takes_no_place_in_it(pool):
    a, _ = await pool.acquire(), await pool.acquire()
    leaving, staying = await in_line(pool), await in_line(pool)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    pool.release(a, broken=False)
    assert await staying is a


@pytest.mark.parametrize("broken", [False, True])
async def test_one_who_is_served_and_leaves_at_the_same_moment_passes_it_on(pool, broken):
    a, _ = await pool.acquire(), await pool.acquire()
    leaving, staying = await in_line(pool), await in_line(pool)
    pool.release(a, broken=broken)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    connection = await asyncio.wait_for(staying, 1)
    assert (connection is a) is not broken


async def test_one_who_leaves_while_it_connects_leaves_the_place_to_others(server):
    never = asyncio.Event()

    async def connect() -> FakeConnection:
        await never.wait()
        return await server.connect()

    pool = Pool(connect, 1)
    leaving = await in_line(pool)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    never.set()
    await asyncio.wait_for(pool.acquire(), 1)


class TestClosing:
    async def test_waits_for_those_that_are_lent(self, pool):
        lent, idle = await pool.acquire(), await pool.acquire()
        pool.release(idle, broken=False)
        closing = asyncio.create_task(pool.close())
        await asyncio.sleep(0)
        assert idle.closed
        assert not closing.done()
        pool.release(lent, broken=False)
        await asyncio.wait_for(closing, 1)
        assert lent.closed

    async def test_refuses_whoever_waits_or_comes(self, pool):
        await pool.acquire()
        await pool.acquire()
        waiting = await in_line(pool)
        pool.terminate()
        with pytest.raises(asyncpg.InterfaceError):
            await waiting
        with pytest.raises(asyncpg.InterfaceError):
            await pool.acquire()

    async def test_terminated_it_ends_those_that_are_lent_as_well(self, pool):
        lent, idle = await pool.acquire(), await pool.acquire()
        pool.release(idle, broken=False)
        pool.terminate()
        assert lent.closed
        assert idle.closed

    async def test_a_connection_that_comes_too_late_is_ended(self, server):
        gate = asyncio.Event()

        async def connect() -> FakeConnection:
            await gate.wait()
            return await server.connect()

        pool = Pool(connect, 1)
        acquiring = await in_line(pool)
        pool.terminate()
        gate.set()
        with pytest.raises(asyncpg.InterfaceError):
            await acquiring
        assert server.made[0].closed
