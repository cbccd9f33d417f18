"""The service as an operator would try it out, as a process of its own."""

import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import psutil

from benchmarks.cannot_measure import CannotMeasure

__all__ = ["FORM", "PATH", "CannotMeasure", "Server", "post", "service"]

START_SECONDS = 60.0
STOP_SECONDS = 30.0
PATH = "/ms-auth-server"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Server:
    """A server that listens on a port of this machine."""

    port: int
    pid: int

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def cpu_seconds(self) -> float:
        """Processor time that it used so far, its own only: PostgreSQL is another process."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)


@contextmanager
def service(folder: Path) -> Iterator[Server]:
    """`serve --demo --embedded`: one process and a durable PostgreSQL of its own, logging JSON to a file."""
    port = _free_port()
    command = [sys.executable, "-m", "api.cli.main", "serve", "--demo", "--embedded", str(folder / "postgres")]
    with _process([*command, "--port", str(port), "--log-format", "json"], folder / "service.log") as process:
        _wait_for(port, "/readyz", "The service", process, folder / "service.log")
        yield Server(port, process.pid)


def post(server: Server, path: str, **form: str) -> str:
    """The body of a successful answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("POST", path, urlencode(form), FORM)
        response = connection.getresponse()
        body = response.read().decode()
    finally:
        connection.close()
    if response.status != http.client.OK:
        msg = f"POST {path} was answered {response.status}: {body}"
        raise CannotMeasure(msg)
    return body


@contextmanager
def _process(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(port: int, path: str, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            if connection.getresponse().status < http.client.INTERNAL_SERVER_ERROR:
                return
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    msg = f"{name} did not start:\n{log.read_text()}"
    raise CannotMeasure(msg)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
