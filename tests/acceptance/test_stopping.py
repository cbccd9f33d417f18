"""Stopping: requests in flight are answered, what was started is stopped, and the exit code is 0."""

import signal
import socket
from urllib.parse import urlencode

import psutil
import pytest
from service_process import RESOURCE_SERVER, TIMEOUT_SECONDS, USER, ServiceProcess

from api.embedded_postgres import EmbeddedPostgres


class HalfARequest:
    """A token request whose body has not wholly arrived: it is in flight for as long as a test wants."""

    def __init__(self, service: ServiceProcess) -> None:
        body = urlencode(USER.form | {"grant_type": "client_credentials"}).encode()
        self._rest = body[10:]
        self._socket = socket.create_connection(("127.0.0.1", service.port), timeout=TIMEOUT_SECONDS)
        head = (
            "POST /ms-auth-server/oauth2/token HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._socket.sendall(head.encode())
        # The service asks for the body once it handles the request: from then on it is in flight.
        assert self._socket.recv(100).startswith(b"HTTP/1.1 100")
        self._socket.sendall(body[:10])

    def finish(self) -> bytes:
        self._socket.sendall(self._rest)
        return self.read()

    def read(self) -> bytes:
        answer = b""
        while chunk := self._socket.recv(65536):
            answer += chunk
        return answer

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def in_flight():
    opened = []

    def open_(service: ServiceProcess) -> HalfARequest:
        opened.append(HalfARequest(service))
        return opened[-1]

    yield open_
    for request in opened:
        request.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_after_what_is_in_flight_is_answered(demo, in_flight, number):
    request = in_flight(demo)
    demo.send_signal(number)
    demo.wait_for_event("stopping")
    answer = request.finish()
    assert answer.startswith(b"HTTP/1.1 200"), demo.output
    assert b"access_token" in answer
    assert demo.wait_for_exit() == 0


def test_it_takes_no_new_connections_while_it_drains(demo, in_flight):
    request = in_flight(demo)
    demo.send_signal(signal.SIGTERM)
    demo.wait_for_event("stopping")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", demo.port), timeout=TIMEOUT_SECONDS)
    request.finish()
    assert demo.wait_for_exit() == 0


def test_a_second_signal_does_not_wait_for_what_is_in_flight(demo, in_flight):
    request = in_flight(demo)
    demo.send_signal(signal.SIGTERM)
    demo.wait_for_event("stopping")
    demo.send_signal(signal.SIGTERM)
    assert demo.wait_for_exit() == 0
    assert b"access_token" not in request.read()


def test_a_request_that_never_ends_holds_it_no_longer_than_it_was_told(start, database, in_flight):
    service = start("--demo", "--dsn", database.service_dsn, "--shutdown-seconds", "0.2").wait_until_ready()
    in_flight(service)
    assert service.stop() == 0


def test_with_several_processes_too(start, database, in_flight):
    service = start("--demo", "--dsn", database.service_dsn, "--workers", "2").wait_until_ready(2)
    request = in_flight(service)
    service.send_signal(signal.SIGTERM)
    service.wait_for(lambda: len(service.events("stopping")) == 2, "both stopping")
    assert b"access_token" in request.finish()
    assert service.wait_for_exit() == 0


def servers_on(folder) -> list[str]:
    return [
        " ".join(process.info["cmdline"])
        for process in psutil.process_iter(["cmdline"])
        if str(folder) in " ".join(process.info["cmdline"] or ()) and "postgres" in process.info["cmdline"][0]
    ]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_stops_the_embedded_database_too_and_the_data_stays(start, demo_folder, workers):
    flags = ("--demo", "--embedded", str(demo_folder), "--workers", workers)
    service = start(*flags).wait_until_ready(int(workers))
    assert servers_on(demo_folder)
    token = USER.request_token(service)
    service.press_ctrl_c()
    assert service.wait_for_exit() == 0, service.output
    assert servers_on(demo_folder) == []
    again = start(*flags).wait_until_ready(int(workers))
    assert RESOURCE_SERVER.introspect(again, token)["active"]
    assert again.stop() == 0
    assert servers_on(demo_folder) == []


@pytest.mark.parametrize("seen", ["embedded PostgreSQL runs", "migrations applied", "demo clients registered"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_while_it_starts_stops_what_was_started(start, demo_folder, seen, workers):
    service = start("--demo", "--embedded", str(demo_folder), "--workers", workers)
    service.wait_for(lambda: seen in service.stdout, seen)
    service.press_ctrl_c()
    assert service.wait_for_exit() == 0
    assert servers_on(demo_folder) == []
    assert "Traceback" not in service.output


def test_kill_9_and_start_again_continues_with_the_same_data(start, demo_folder):
    first = start("--demo", "--embedded", str(demo_folder)).wait_until_ready()
    kept, revoked = USER.request_token(first), USER.request_token(first)
    USER.revoke(first, revoked)
    first.kill()
    second = start("--demo", "--embedded", str(demo_folder)).wait_until_ready()
    assert RESOURCE_SERVER.introspect(second, kept)["active"]
    assert RESOURCE_SERVER.introspect(second, revoked) == {"active": False}
    assert second.stop() == 0


def test_another_user_of_the_embedded_database_keeps_it_running(start, demo_folder):
    service = start("--demo", "--embedded", str(demo_folder)).wait_until_ready()
    with EmbeddedPostgres(demo_folder):
        assert service.stop() == 0
        assert servers_on(demo_folder)
    assert servers_on(demo_folder) == []
