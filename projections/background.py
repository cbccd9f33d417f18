"""The loop of a background task that shares its work with other processes, a step at a time."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import structlog

from ledger.domain.errors import Unavailable


async def repeat_steps(
    step: Callable[[], Awaitable[float]], *, task: str, poll: float, sleep: Callable[[float], Awaitable[None]]
) -> None:
    """Take steps until cancelled, whatever happens to the database.

    A step returns in how many seconds to take the next one. After an error it is `poll` seconds.
    """
    last_error = ""
    while True:
        seconds = poll
        try:
            seconds = await step()
            last_error = ""
        except (Unavailable, asyncpg.LockNotAvailableError, asyncpg.SerializationError):
            pass
        except Exception as error:  # noqa: BLE001
            # The task must run for as long as its process does; an error that repeats is logged once.
            if repr(error) != last_error:
                structlog.get_logger().exception("background task failed", task=task)
                last_error = repr(error)
        current = asyncio.current_task()
        if current is not None and current.cancelling():
            # A connection that broke during the cancellation has replaced CancelledError by its own error.
            raise asyncio.CancelledError
        await sleep(seconds)
