"""`serve --demo --embedded` as a process, requests to it, and what a request costs it."""

import http.client
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlencode

import psutil

from benchmarks.contenders.contender import FormRequest
from benchmarks.contenders.processes import running_process
from benchmarks.errors import MeasurementError
from benchmarks.load.request import Request, form_request
from benchmarks.load.wrk import ClosedLoopResult, Load, run_closed_loop
from benchmarks.ports import HOST, free_port

PATH = "/ms-auth-server"
LOG = PATH.strip("/")
TOKEN, INTROSPECT, REVOKE = (f"{PATH}/oauth2/{name}" for name in ("token", "introspect", "revoke"))

CLIENT = {"client_id": "user-client-opaque", "client_secret": "user-client-secret"}
RESOURCE_SERVER = {"client_id": "service-client-jwt", "client_secret": "service-client-jwt-secret"}
ISSUE = {"grant_type": "client_credentials", **CLIENT, "scope": "country.read customer.read customer.write"}
AUDITOR = {
    "grant_type": "client_credentials",
    "client_id": "auditor",
    "client_secret": "auditor-secret",
    "scope": "audit.read",
}


@dataclass(frozen=True)
class Server:
    """A server process that listens on a port of this machine."""

    port: int
    pid: int

    def url(self, path: str) -> str:
        return f"http://{HOST}:{self.port}{path}"

    def cpu_seconds(self) -> float:
        """Return the CPU time of this process, which does not include PostgreSQL."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)


@dataclass(frozen=True)
class Measurement(ClosedLoopResult):
    """A closed loop, and the CPU time in µs that a request cost the server process.

    Other load on the machine changes the CPU time far less than the rate.
    """

    cpu_us: float


@contextmanager
def run_demo_service(folder: Path) -> Iterator[Server]:
    """Run one process over a durable embedded PostgreSQL, with its JSON log in a file."""
    port, log = free_port(), folder / "service.log"
    command = [sys.executable, "-m", "api.cli.main", "serve", "--demo", "--embedded", str(folder / "postgres")]
    command += ["--port", str(port), "--log-format", "json"]
    with running_process(command, f"http://{HOST}:{port}/readyz", log=log) as pid:
        yield Server(port, pid)


def measure(server: Server, requests: Sequence[Request], folder: Path, *, load: Load, seconds: int) -> Measurement:
    """Run a closed loop for that long. Raises MeasurementError when a response is not a success."""
    before = server.cpu_seconds()
    result = run_closed_loop(requests, folder, load=load, seconds=seconds)
    return Measurement(**asdict(result), cpu_us=(server.cpu_seconds() - before) / result.requests * 1e6)


def build_form(server: Server, path: str, fields: Mapping[str, str]) -> Request:
    return form_request(FormRequest(server.url(path), urlencode(fields)))


def issuance_request(server: Server) -> Request:
    return build_form(server, TOKEN, ISSUE)


def post_form(server: Server, path: str, fields: Mapping[str, str]) -> str:
    """Return the body of the response. Raises MeasurementError when it is not a success."""
    connection = http.client.HTTPConnection(HOST, server.port, timeout=10)
    try:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", path, urlencode(fields), headers)
        response = connection.getresponse()
        body = response.read().decode()
    finally:
        connection.close()
    if response.status != http.client.OK:
        msg = f"the response to POST {path} was {response.status}: {body}"
        raise MeasurementError(msg)
    return body
