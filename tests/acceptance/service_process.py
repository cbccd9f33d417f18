"""The real command as a child process, called over HTTP. Every failure message includes its output."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "api.cli.main")
TIMEOUT_SECONDS = 120.0
"""How long to wait for anything. A correct test never waits this long, however busy the machine is."""


class ServiceFailure(AssertionError):
    """The process did not do what the test waited for."""


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def clean_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without TOKEN_LEDGER_* settings, plus `more`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOKEN_LEDGER_")}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | dict(more or {})


def start_command(*words: str, env: Mapping[str, str] | None = None, **options: Any) -> subprocess.Popen[Any]:
    """Start a command in its own process group, with its output piped as text. `options` are those of Popen."""
    defaults = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    return subprocess.Popen([*COMMAND, *words], env=clean_environment(env), **(defaults | options))


def run_command(
    *words: str, env: Mapping[str, str] | None = None, stdin: str | bytes = ""
) -> subprocess.CompletedProcess[Any]:
    """Run a command to completion. If stdin is bytes, so is the output."""
    return subprocess.run(
        [*COMMAND, *words],
        env=clean_environment(env),
        input=stdin,
        capture_output=True,
        text=isinstance(stdin, str),
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def run_json_command(*words: str) -> Any:
    """Run a command with --json and return what it prints. It must succeed."""
    done = run_command(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def wait_until(condition: Callable[[], object], what: str = "the condition") -> None:
    """Poll until the condition is true."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        if time.monotonic() >= deadline:
            msg = f"waited for: {what}"
            raise ServiceFailure(msg)
        time.sleep(0.02)


class ServiceProcess:
    """`token-ledger serve` on a free port, in its own process group as under a terminal."""

    def __init__(self, *flags: str, port: int = 0, env: Mapping[str, str] | None = None) -> None:
        self._lines: list[tuple[str, str]] = []
        self._new_output = threading.Condition()
        self.process = start_command(*self._words(port), *flags, env=env)
        self._readers = [
            threading.Thread(target=self._read, args=(name, stream), daemon=True)
            for name, stream in (("out", self.process.stdout), ("err", self.process.stderr))
        ]
        for reader in self._readers:
            reader.start()

    def _words(self, port: int) -> tuple[str, ...]:
        return ("serve", "--port", str(port))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def wait_until_ready(self, processes: int = 1) -> Self:
        """Wait until this many processes accept requests."""
        self.wait_for(lambda: len(self.events("server ready")) >= processes, f"{processes} ready")
        return self

    @property
    def output(self) -> str:
        """Everything it printed so far, on both streams."""
        with self._new_output:
            return "\n".join(f"{name} | {line}" for name, line in self._lines)

    @property
    def stdout(self) -> str:
        with self._new_output:
            return "\n".join(line for name, line in self._lines if name == "out")

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log lines with this event name."""
        with self._new_output:
            return [event for _, line in self._lines if (event := _parsed(line)).get("event") == name]

    @property
    def port(self) -> int:
        """The port it listens on, read from its log in either log format."""
        found = re.search(r"\bport\"?[:=](?:\x1b\[\d+m)*(\d+)", self.output)
        assert found is not None, self.output
        return int(found[1])

    @property
    def issuer(self) -> str:
        return str(self.events("serving")[0]["issuers"][0])

    def wait_for(self, happened: Callable[[], bool], what: str) -> None:
        """Wait until its output makes the condition true."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        with self._new_output:
            while not happened():
                ended = self.process.poll() is not None and not any(r.is_alive() for r in self._readers)
                if ended or time.monotonic() >= deadline:
                    msg = f"waited for: {what}; exit code {self.process.poll()}\n{self.output}"
                    raise ServiceFailure(msg)
                self._new_output.wait(0.5)

    def wait_for_event(self, name: str) -> dict[str, Any]:
        self.wait_for(lambda: bool(self.events(name)), name)
        return self.events(name)[0]

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process alone."""
        self.process.send_signal(number)

    def press_ctrl_c(self) -> None:
        """Send SIGINT to the whole process group, as a terminal does."""
        os.killpg(self.process.pid, signal.SIGINT)

    def wait_for_exit(self) -> int:
        """Wait for the process to exit; return its exit code."""
        try:
            code = self.process.wait(TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            msg = f"did not end\n{self.output}"
            raise ServiceFailure(msg) from None
        for reader in self._readers:
            reader.join(TIMEOUT_SECONDS)
        return code

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.send_signal(number)
        return self.wait_for_exit()

    def kill(self) -> None:
        """Kill the whole process group without warning."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.wait_for_exit()

    def get(self, path: str, token: str | None = None) -> Response:
        """Send a GET request, with a bearer token if there is one."""
        return self._request("GET", path, None, {} if token is None else {"Authorization": f"Bearer {token}"})

    def post(self, endpoint: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Response:
        """Post a form to an OAuth endpoint of the first issuer, over a new connection."""
        path = f"/ms-auth-server/oauth2/{endpoint}"
        given = {"Content-Type": "application/x-www-form-urlencoded"} | dict(headers or {})
        return self._request("POST", path, urlencode(form), given)

    def _request(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> Response:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            return Response(response.status, dict(response.headers), response.read())
        except OSError as error:
            msg = f"{method} {path}: {error!r}\n{self.output}"
            raise ServiceFailure(msg) from error
        finally:
            connection.close()

    def _read(self, name: str, stream: Any) -> None:
        for line in stream:
            with self._new_output:
                self._lines.append((name, line.rstrip("\n")))
                self._new_output.notify_all()
        with self._new_output:
            self._new_output.notify_all()


class FollowerProcess(ServiceProcess):
    """`token-ledger projections run` as a child process."""

    def _words(self, port: int) -> tuple[str, ...]:
        return ("projections", "run", "--metrics-port", str(port))


class Credentials:
    """A client's id and secret, and the OAuth requests it sends."""

    def __init__(self, client_id: str, client_secret: str) -> None:
        self.form = {"client_id": client_id, "client_secret": client_secret}

    def request_token(self, service: ServiceProcess, **more: str) -> str:
        """Return an access token. The request must succeed."""
        response = service.post("token", self.form | {"grant_type": "client_credentials"} | more)
        assert response.status == 200, f"{response}\n{service.output}"
        return str(response.json["access_token"])

    def introspect(self, service: ServiceProcess, token: str) -> dict[str, Any]:
        response = service.post("introspect", self.form | {"token": token})
        assert response.status == 200, f"{response}\n{service.output}"
        return dict(response.json)

    def revoke(self, service: ServiceProcess, token: str) -> None:
        response = service.post("revoke", self.form | {"token": token})
        assert response.status == 200, f"{response}\n{service.output}"


USER = Credentials("user-client-opaque", "user-client-secret")
RESOURCE_SERVER = Credentials("service-client-jwt", "service-client-jwt-secret")


def _parsed(line: str) -> dict[str, Any]:
    if not line.startswith("{"):
        return {}
    try:
        return dict(json.loads(line))
    except ValueError:
        return {}
