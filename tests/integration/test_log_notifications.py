"""Waiters learn that a log has grown, also from earlier notifications and after an outage."""

import asyncio

import pytest

from ledger.postgres import notifications as module
from ledger.postgres.notifications import CHANNEL, LogNotifications

LONG = 60.0


@pytest.fixture
async def notifications(database):
    made = LogNotifications(database.service_dsn)
    waiting = asyncio.create_task(made.wait(99, since=0, seconds=LONG))
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
    first = asyncio.create_task(notifications.wait(1, since=0, seconds=LONG))
    second = asyncio.create_task(notifications.wait(2, since=0, seconds=LONG))
    await asyncio.sleep(0)
    await notify(superuser, "1:6")
    await first
    assert not second.done()
    second.cancel()


async def test_wait_returns_only_when_notified_since_the_count(notifications, superuser):
    waiting = asyncio.create_task(notifications.wait(1, since=0, seconds=LONG))
    await asyncio.sleep(0)
    await notify(superuser, "1:6")
    await waiting
    await notifications.wait(1, since=0, seconds=LONG)
    again = asyncio.create_task(notifications.wait(1, since=notifications.count(1), seconds=LONG))
    await asyncio.sleep(0.02)
    assert not again.done()
    again.cancel()


async def test_forged_position_wakes_waiters_only_once(notifications, superuser):
    waiting = asyncio.create_task(notifications.wait(1, since=0, seconds=LONG))
    await asyncio.sleep(0)
    await notify(superuser, "1:9999999999")
    await waiting
    again = asyncio.create_task(notifications.wait(1, since=notifications.count(1), seconds=LONG))
    await asyncio.sleep(0.02)
    assert not again.done()
    again.cancel()


async def test_wait_returns_when_the_timeout_passes(notifications):
    await notifications.wait(1, since=0, seconds=0.01)


@pytest.mark.parametrize("payload", ["", ":1", "a:b", "-1:4", "\u0661:4", "99999999999999999999:1"])
async def test_unknown_notification_is_ignored(notifications, superuser, payload):
    await notify(superuser, payload)
    waiting = asyncio.create_task(notifications.wait(1, since=0, seconds=LONG))
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
    waiting = asyncio.create_task(notifications.wait(1, since=0, seconds=LONG))
    await asyncio.sleep(0)
    await notify(superuser, "1:1")
    await waiting


async def test_cancellation_propagates_when_growth_arrives_with_it(notifications):
    waiting = asyncio.create_task(notifications.wait(1, since=0, seconds=LONG))
    await asyncio.sleep(0)
    notifications._on_notify(None, 0, CHANNEL, "1:1")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
