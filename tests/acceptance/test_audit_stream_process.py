"""The event stream of a running service."""

from http.client import HTTPConnection

import pytest
from service_process import TIMEOUT_SECONDS, USER, Credentials

AUDITOR = Credentials("auditor", "auditor-secret")
STREAMS = 5


def open_stream(service, token):
    connection = HTTPConnection("127.0.0.1", service.port, timeout=TIMEOUT_SECONDS)
    connection.request("GET", "/ms-auth-server/audit/events/stream", headers={"Authorization": f"Bearer {token}"})
    response = connection.getresponse()
    assert response.status == 200, response.read()
    assert response.readline().startswith(b"id: ")
    return connection, response


@pytest.mark.parametrize("workers", [1, 2])
def test_stream_sends_new_events_and_ends_when_the_service_stops(start, database, workers):
    # Were the streams not ended, the service would wait for them longer than the test waits for the service.
    flags = ("--workers", str(workers), "--shutdown-seconds", "600")
    service = start("--demo", "--dsn", database.service_dsn, *flags).wait_until_ready(workers)
    token = AUDITOR.request_token(service, scope="audit.read")
    opened = [open_stream(service, token) for _ in range(STREAMS)]
    USER.request_token(service)
    for _, response in opened:
        lines = [response.readline() for _ in range(4)]
        assert lines[2] == b"event: token.issued\n", lines
    service.process.terminate()
    for connection, response in opened:
        response.read()  # raises IncompleteRead when the stream was cut
        connection.close()
    assert service.wait_for_exit() == 0
    assert len([line for line in service.events("request") if line.get("ended") == "complete"]) == STREAMS
