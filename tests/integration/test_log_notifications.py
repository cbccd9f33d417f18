"""Waiters learn that a log has grown, also from earlier notifications and after an outage."""

import asyncio

import pytest

from ledger.postgres import notifications as module
from ledger.postgres.notifications import CHANNEL, LogNotifications

LONG = 60.0


@pytest.fixture
async def notifications(database):
    made = LogNotifications(database.service_dsn)
    waiting = asyncio.create_task(made.wait(99, beyond=0, seconds=LONG))
    await until(lambda: made.listening)
    yield made
    waiting.cancel()
    await made.close()


async def until(condition):
    for _ in range(12_000):
        if condition():
            return
        await asyncio.sleep(0.005)
    pytest.fail("the condition never became true")


async def notify(superuser, payload: str) -> None:
    await superuser.execute("SELECT pg_notify($1, $2)", CHANNEL, payload)


async def test_wait_returns_when_its_own_log_grows(notifications, superuser):
    first = asyncio.create_task(notifications.wait(1, beyond=5, seconds=LONG))
    second = asyncio.create_task(notifications.wait(2, beyond=5, seconds=LONG))
    await asyncio.sleep(0)
    await notify(superuser, "1:6")
    await first
    assert not second.done()
    second.cancel()


async def test_wait_returns_only_when_the_known_head_is_beyond(notifications, superuser):
    waiting = asyncio.create_task(notifications.wait(1, beyond=0, seconds=LONG))
    await asyncio.sleep(0)
    await notify(superuser, "1:6")
    await waiting
    await notifications.wait(1, beyond=5, seconds=LONG)
    again = asyncio.create_task(notifications.wait(1, beyond=6, seconds=LONG))
    await asyncio.sleep(0.02)
    assert not again.done()
    again.cancel()


async def test_wait_returns_when_the_timeout_passes(notifications):
    await notifications.wait(1, beyond=5, seconds=0.01)


@pytest.mark.parametrize("payload", ["", "1", "1:", ":1", "a:b", "1:2:3", "-1:4", "1:\u0665\u00b2"])
async def test_unknown_notification_is_ignored(notifications, superuser, payload):
    await notify(superuser, payload)
    waiting = asyncio.create_task(notifications.wait(1, beyond=0, seconds=LONG))
    await asyncio.sleep(0)
    await notify(superuser, "1:1")
    await waiting
    assert notifications.listening


async def test_listener_reconnects_when_its_connection_is_cut(notifications, superuser, monkeypatch):
    monkeypatch.setattr(module, "RECONNECT_SECONDS", 0.01)
    await superuser.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'token-ledger'"
    )
    await until(lambda: not notifications.listening)
    await until(lambda: notifications.listening)
    waiting = asyncio.create_task(notifications.wait(1, beyond=0, seconds=LONG))
    await asyncio.sleep(0)
    await notify(superuser, "1:1")
    await waiting


async def test_cancellation_propagates_when_growth_arrives_with_it(notifications):
    waiting = asyncio.create_task(notifications.wait(1, beyond=0, seconds=LONG))
    await asyncio.sleep(0)
    notifications._on_notify(None, 0, CHANNEL, "1:1")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
