"""Stopping: requests in flight finish, everything that was started is stopped, and the exit code is 0."""

import signal
import socket
from urllib.parse import urlencode

import psutil
import pytest
from service_process import RESOURCE_SERVER, TIMEOUT_SECONDS, USER, ServiceProcess


class PartialRequest:
    """A token request whose body is incomplete, so it stays in flight until `finish`."""

    def __init__(self, service: ServiceProcess) -> None:
        body = urlencode(USER.form | {"grant_type": "client_credentials"}).encode()
        self._rest = body[10:]
        self._socket = socket.create_connection(("127.0.0.1", service.port), timeout=TIMEOUT_SECONDS)
        head = (
            "POST /ms-auth-server/oauth2/token HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._socket.sendall(head.encode())
        # The service asks for the body when it handles the request, which is then in flight.
        assert self._socket.recv(100).startswith(b"HTTP/1.1 100")
        self._socket.sendall(body[:10])

    def finish(self) -> bytes:
        self._socket.sendall(self._rest)
        return self.read()

    def read(self) -> bytes:
        response = b""
        while chunk := self._socket.recv(65536):
            response += chunk
        return response

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def in_flight():
    opened = []

    def open_(service: ServiceProcess) -> PartialRequest:
        opened.append(PartialRequest(service))
        return opened[-1]

    yield open_
    for request in opened:
        request.close()


@pytest.fixture
def demo(start, database):
    """A service that waits for requests in flight for as long as a test needs."""
    return start("--demo", "--dsn", database.service_dsn, "--shutdown-seconds", "600").wait_until_ready()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_service_drains_requests_and_stops_when_signalled(demo, in_flight, number):
    request = in_flight(demo)
    demo.send_signal(number)
    demo.wait_for_event("stopping")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", demo.port), timeout=TIMEOUT_SECONDS)
    response = request.finish()
    assert response.startswith(b"HTTP/1.1 200"), demo.output
    assert b"access_token" in response
    assert demo.wait_for_exit() == 0


def test_service_drops_requests_when_signalled_twice(demo, in_flight):
    request = in_flight(demo)
    demo.send_signal(signal.SIGTERM)
    demo.wait_for_event("stopping")
    demo.send_signal(signal.SIGTERM)
    assert demo.wait_for_exit() == 0
    assert b"access_token" not in request.read()


def test_service_drops_requests_when_the_shutdown_time_is_over(start, database, in_flight):
    service = start("--demo", "--dsn", database.service_dsn, "--shutdown-seconds", "0.2").wait_until_ready()
    in_flight(service)
    assert service.stop() == 0


def test_workers_drain_requests_and_stop_when_signalled(start, database, in_flight):
    flags = ("--workers", "2", "--shutdown-seconds", "600")
    service = start("--demo", "--dsn", database.service_dsn, *flags).wait_until_ready(2)
    request = in_flight(service)
    service.send_signal(signal.SIGTERM)
    service.wait_for(lambda: len(service.events("stopping")) == 2, "both stopping")
    assert b"access_token" in request.finish()
    assert service.wait_for_exit() == 0


def find_database_servers(folder) -> list[str]:
    return [
        " ".join(process.info["cmdline"])
        for process in psutil.process_iter(["cmdline"])
        if str(folder) in " ".join(process.info["cmdline"] or ()) and "postgres" in process.info["cmdline"][0]
    ]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_stops_the_embedded_database_and_keeps_its_data(start, demo_folder, workers):
    flags = ("--demo", "--embedded", str(demo_folder), "--workers", workers)
    service = start(*flags).wait_until_ready(int(workers))
    assert find_database_servers(demo_folder)
    token = USER.request_token(service)
    service.press_ctrl_c()
    assert service.wait_for_exit() == 0, service.output
    assert find_database_servers(demo_folder) == []
    again = start(*flags).wait_until_ready(int(workers))
    assert "demo clients registered: none were missing" in again.stdout
    assert RESOURCE_SERVER.introspect(again, token)["active"]
    assert again.stop() == 0
    assert find_database_servers(demo_folder) == []


@pytest.mark.parametrize(
    ("seen", "workers"),
    [
        ("embedded PostgreSQL runs", "1"),
        ("migrations applied", "1"),
        ("demo clients registered", "1"),
        ("demo clients registered", "2"),
    ],
)
def test_ctrl_c_during_start_up_stops_what_was_started(start, demo_folder, seen, workers):
    service = start("--demo", "--embedded", str(demo_folder), "--workers", workers)
    service.wait_for(lambda: seen in service.stdout, seen)
    service.press_ctrl_c()
    assert service.wait_for_exit() == 0
    assert find_database_servers(demo_folder) == []
    assert "Traceback" not in service.output


def test_service_continues_with_the_same_data_after_kill_9(start, demo_folder):
    first = start("--demo", "--embedded", str(demo_folder)).wait_until_ready()
    kept, revoked = USER.request_token(first), USER.request_token(first)
    USER.revoke(first, revoked)
    first.kill()
    second = start("--demo", "--embedded", str(demo_folder)).wait_until_ready()
    assert RESOURCE_SERVER.introspect(second, kept)["active"]
    assert RESOURCE_SERVER.introspect(second, revoked) == {"active": False}
    assert second.stop() == 0
