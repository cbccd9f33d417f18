"""Function calls per request, and memory left after it."""

import gc
import sys
from asyncio import __file__ as event_loop
from pathlib import Path
from selectors import __file__ as selectors
from statistics import median
from typing import Self

import pytest

from tests.cost import bounds

FEW = 50
MANY = 200
ROUNDS = 5
WARM_UP = 20
LOOP = (str(Path(event_loop).parent), selectors)


class Calls:
    """Counts the calls that this thread makes: of Python functions, and of built-in functions by them.

    Calls of the event loop do not count: how often it turns depends on how fast the database responds.
    """

    def __init__(self) -> None:
        self.count = 0
        self._ours: dict[object, bool] = {}

    def __enter__(self) -> Self:
        sys.setprofile(self._see)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _see(self, frame, event, _argument) -> None:
        if event in {"call", "c_call"}:
            code = frame.f_code
            ours = self._ours.get(code)
            if ours is None:
                ours = self._ours[code] = not code.co_filename.startswith(LOOP)
            self.count += ours


@pytest.fixture
def requests(shop):
    """Prepare requests of a kind; return a function that sends them."""

    async def introspect(count):
        (token,) = await shop.request_tokens(1)
        return lambda: shop.send("introspect", *[{"token": token}] * count)

    async def issue(count):
        return lambda: shop.send("token", *[{"grant_type": "client_credentials"}] * count)

    async def revoke(count):
        tokens = await shop.request_tokens(count)
        return lambda: shop.send("revoke", *({"token": token} for token in tokens))

    return {"introspect": introspect, "issue": issue, "revoke": revoke}


async def test_function_calls_per_request(requests, hold):
    counted = {}
    for kind, prepare in requests.items():
        await (await prepare(WARM_UP))()
        send = await prepare(FEW)
        with Calls() as calls:
            await send()
        counted[bounds.CALLS[kind]] = calls.count / FEW
    hold(*counted.items())


async def test_request_leaves_no_memory_behind(shop, requests, hold):
    async def blocks():
        await shop.send("introspect", {"token": "unknown"})  # releases what the connection keeps of the last request
        gc.collect()
        return sys.getallocatedblocks()

    kept = {}
    for kind, prepare in requests.items():
        await (await prepare(MANY))()
        left = []
        for _ in range(ROUNDS):
            send = await prepare(MANY)
            before = await blocks()
            await send()
            left.append((await blocks() - before) / MANY)
        kept[bounds.MEMORY[kind]] = median(left)
    hold(*kept.items())
