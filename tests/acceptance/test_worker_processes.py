"""Several processes: what one has answered holds on all of them."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from service_process import RESOURCE_SERVER, USER


@pytest.fixture
def service(start, database):
    return start("--demo", "--dsn", database.service_dsn, "--workers", "2").wait_until_ready(2)


@contextmanager
def only(service, answering: int) -> Iterator[None]:
    """Let one process answer: the others are stopped, so that every connection is taken by it."""
    others = {event["pid"] for event in service.events("server ready")} - {answering}
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in others:
            os.kill(pid, signal.SIGCONT)


def test_a_revocation_answered_by_one_process_holds_on_the_other(service):
    first, second = (event["pid"] for event in service.events("server ready"))
    with only(service, first):
        token = USER.request_token(service)
        assert RESOURCE_SERVER.introspect(service, token)["active"]
    with only(service, second):
        assert RESOURCE_SERVER.introspect(service, token)["active"]
        USER.revoke(service, token)
    with only(service, first):
        assert RESOURCE_SERVER.introspect(service, token) == {"active": False}
    assert service.stop() == 0


def test_a_process_that_dies_is_replaced(service):
    first = service.events("server ready")[0]["pid"]
    os.kill(first, signal.SIGKILL)
    service.wait_until_ready(3)
    assert RESOURCE_SERVER.introspect(service, USER.request_token(service))["active"]
    assert service.stop() == 0
