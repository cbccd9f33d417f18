"""Batched reads: concurrent look-ups of one process share a query.

A look-up is answered by a query that started after it was asked, never by one already under way, and nothing is kept
once a batch is answered. So it sees everything that was answered, by any process, before it was asked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BatchedReads(Generic[K, V]):
    """Gathers keys while a query runs, then asks for all of them at once."""

    def __init__(self, load: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]], *, max_batch: int = 512) -> None:
        """`load` reads many keys in one query; a key that is absent from its answer does not exist."""
        self._load = load
        self._max_batch = max_batch
        self._asked: dict[K, list[asyncio.Future[V | None]]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def get(self, key: K) -> V | None:
        """The value of a key as of now, or None. Raises what `load` raises."""
        return await self.ask(key)

    def ask(self, key: K) -> "asyncio.Future[V | None]":
        """The same as a future: it is asked by this call, and need not be awaited."""
        loop = self._loop or self._enter_loop()
        answer: asyncio.Future[V | None] = loop.create_future()
        self._asked.setdefault(key, []).append(answer)
        if self._reading is None:
            self._reading = loop.create_task(self._read_all())
        return answer

    def _enter_loop(self) -> asyncio.AbstractEventLoop:
        # It stays with the loop it was first used in, as what it loads from does. Asking each time is a system call.
        self._loop = asyncio.get_running_loop()
        return self._loop

    async def _read_all(self) -> None:
        try:
            while self._asked:
                batch = self._take()
                try:
                    found = await self._load(list(batch))
                except Exception as error:  # noqa: BLE001 (every caller of the batch must hear of it)
                    for answers in batch.values():
                        _fail(answers, error)
                else:
                    for key, answers in batch.items():
                        _answer(answers, found.get(key))
        finally:
            self._reading = None

    def _take(self) -> dict[K, list[asyncio.Future[V | None]]]:
        if len(self._asked) <= self._max_batch:
            batch, self._asked = self._asked, {}
            return batch
        return {key: self._asked.pop(key) for key in list(self._asked)[: self._max_batch]}


# A caller that was cancelled has left its future done.


def _answer(answers: list[asyncio.Future[V | None]], value: V | None) -> None:
    for answer in answers:
        if not answer.done():
            answer.set_result(value)


def _fail(answers: list[asyncio.Future[V | None]], error: Exception) -> None:
    for answer in answers:
        if not answer.done():
            answer.set_exception(error)
            answer.exception()  # seen, so that one who asked and then went another way is not reported
