"""The event stream of the real service: it tells of what is recorded, and ends cleanly when the service stops."""

import time
from http.client import HTTPConnection

import pytest
from service_process import USER, Credentials

AUDITOR = Credentials("auditor", "auditor-secret")
STREAMS = 5


def open_stream(service, token):
    connection = HTTPConnection("127.0.0.1", service.port, timeout=20)
    connection.request("GET", "/ms-auth-server/audit/events/stream", headers={"Authorization": f"Bearer {token}"})
    response = connection.getresponse()
    assert response.status == 200, response.read()
    assert response.readline().startswith(b"id: ")
    return connection, response


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stream_tells_what_is_recorded_and_ends_with_the_service(start, database, workers):
    service = start("--demo", "--dsn", database.service_dsn, "--workers", str(workers)).wait_until_ready(workers)
    token = AUDITOR.request_token(service, scope="audit.read")
    opened = [open_stream(service, token) for _ in range(STREAMS)]
    USER.request_token(service)
    for _, response in opened:
        lines = [response.readline() for _ in range(4)]
        assert lines[2] == b"event: token.issued\n", lines
    began = time.monotonic()
    service.process.terminate()
    for connection, response in opened:
        response.read()  # to its proper end: http.client raises IncompleteRead for one that was cut
        connection.close()
    assert service.wait_for_exit() == 0
    assert time.monotonic() - began < 10, service.output
    assert len([line for line in service.events("request") if line.get("ended") == "complete"]) == STREAMS
