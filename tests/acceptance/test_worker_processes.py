"""Several worker processes: what one has responded holds on all of them."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from service_process import RESOURCE_SERVER, USER


@pytest.fixture
def service(start, database):
    return start("--demo", "--dsn", database.service_dsn, "--workers", "2").wait_until_ready(2)


def worker_pids(service) -> list[int]:
    return [event["pid"] for event in service.events("server ready")]


@contextmanager
def only(service, pid: int) -> Iterator[None]:
    """Pause the other workers, so that this one accepts every connection."""
    others = set(worker_pids(service)) - {pid}
    for other in others:
        os.kill(other, signal.SIGSTOP)
    try:
        yield
    finally:
        for other in others:
            os.kill(other, signal.SIGCONT)


def test_revocation_on_one_worker_holds_on_the_other(service):
    first, second = worker_pids(service)
    with only(service, first):
        token = USER.request_token(service)
        assert RESOURCE_SERVER.introspect(service, token)["active"]
    with only(service, second):
        assert RESOURCE_SERVER.introspect(service, token)["active"]
        USER.revoke(service, token)
    with only(service, first):
        assert RESOURCE_SERVER.introspect(service, token) == {"active": False}
    assert service.stop() == 0


def test_worker_is_replaced_when_it_dies(service):
    os.kill(worker_pids(service)[0], signal.SIGKILL)
    service.wait_until_ready(3)
    assert RESOURCE_SERVER.introspect(service, USER.request_token(service))["active"]
    assert service.stop() == 0
