"""The real command as a process, spoken to over real HTTP. What it said is in the message of whatever fails."""

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
PATIENCE = 60.0
"""How long to wait for what should come, in seconds."""


class WentWrong(AssertionError):
    """Something that should have happened did not."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our environment without settings of the service that happen to be in it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOKEN_LEDGER_")}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | dict(more or {})


def run_command(*words: str, env: Mapping[str, str] | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """One command to its end."""
    return subprocess.run(
        [*COMMAND, *words],
        env=environment(env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def command_json(*words: str) -> Any:
    """The JSON that a command prints; it must succeed."""
    done = run_command(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class ServiceProcess:
    """`token-ledger serve` on a free port, in a process group of its own as a terminal would give it."""

    def __init__(self, *flags: str, port: int = 0, env: Mapping[str, str] | None = None) -> None:
        words = [*COMMAND, *self._words(port), *flags]
        self._lines: list[tuple[str, str]] = []
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            words,
            env=environment(env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
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

    def ready(self, processes: int = 1) -> Self:
        """Wait until this many processes answer."""
        self.wait_for(lambda: len(self.events("ready to answer")) >= processes, f"{processes} ready")
        return self

    @property
    def output(self) -> str:
        """All that it said so far."""
        with self._news:
            return "\n".join(f"{name} | {line}" for name, line in self._lines)

    @property
    def stdout(self) -> str:
        with self._news:
            return "\n".join(line for name, line in self._lines if name == "out")

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log lines of an event."""
        with self._news:
            return [event for _, line in self._lines if (event := _parsed(line)).get("event") == name]

    @property
    def port(self) -> int:
        """The port it listens on, in whatever form its log is."""
        found = re.search(r"\bport\"?[:=](?:\x1b\[\d+m)*(\d+)", self.output)
        assert found is not None, self.output
        return int(found[1])

    @property
    def issuer(self) -> str:
        return str(self.events("serving")[0]["issuers"][0])

    def wait_for(self, happened: Callable[[], bool], what: str) -> None:
        """Wait until its output makes this true."""
        deadline = time.monotonic() + PATIENCE
        with self._news:
            while not happened():
                ended = self.process.poll() is not None and not any(r.is_alive() for r in self._readers)
                if ended or time.monotonic() >= deadline:
                    msg = f"waited for: {what}; exit code {self.process.poll()}\n{self.output}"
                    raise WentWrong(msg)
                self._news.wait(0.5)

    def wait_for_event(self, name: str) -> dict[str, Any]:
        self.wait_for(lambda: bool(self.events(name)), name)
        return self.events(name)[0]

    def send(self, number: signal.Signals) -> None:
        """A signal to the process alone."""
        self.process.send_signal(number)

    def press_ctrl_c(self) -> None:
        """A signal to the whole foreground group, as a terminal sends it."""
        os.killpg(self.process.pid, signal.SIGINT)

    def ends(self) -> int:
        """The exit code, once it is there."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            msg = f"did not end\n{self.output}"
            raise WentWrong(msg) from None
        for reader in self._readers:
            reader.join(PATIENCE)
        return code

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.send(number)
        return self.ends()

    def kill(self) -> None:
        """End the whole group as by a power cut."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.ends()

    def get(self, path: str) -> Answer:
        return self._request("GET", path, None, {})

    def post(self, endpoint: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        """A form to an OAuth endpoint of the first issuer, over a connection of its own."""
        path = f"/ms-auth-server/oauth2/{endpoint}"
        given = {"Content-Type": "application/x-www-form-urlencoded"} | dict(headers or {})
        return self._request("POST", path, urlencode(form), given)

    def _request(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            return Answer(response.status, dict(response.headers), response.read())
        except OSError as error:
            msg = f"{method} {path}: {error!r}\n{self.output}"
            raise WentWrong(msg) from error
        finally:
            connection.close()

    def _read(self, name: str, stream: Any) -> None:
        for line in stream:
            with self._news:
                self._lines.append((name, line.rstrip("\n")))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()


class FollowerProcess(ServiceProcess):
    """`token-ledger projections run`, in the same way."""

    def _words(self, port: int) -> tuple[str, ...]:
        return ("projections", "run", "--metrics-port", str(port))


class Credentials:
    """A client, as whoever calls the service knows it."""

    def __init__(self, client_id: str, client_secret: str) -> None:
        self.form = {"client_id": client_id, "client_secret": client_secret}

    def token(self, service: ServiceProcess, **more: str) -> str:
        """An access token. It must be given."""
        answer = service.post("token", self.form | {"grant_type": "client_credentials"} | more)
        assert answer.status == 200, f"{answer}\n{service.output}"
        return str(answer.json["access_token"])

    def introspect(self, service: ServiceProcess, token: str) -> dict[str, Any]:
        answer = service.post("introspect", self.form | {"token": token})
        assert answer.status == 200, f"{answer}\n{service.output}"
        return dict(answer.json)

    def revoke(self, service: ServiceProcess, token: str) -> None:
        answer = service.post("revoke", self.form | {"token": token})
        assert answer.status == 200, f"{answer}\n{service.output}"


USER = Credentials("user-client-opaque", "user-client-secret")
RESOURCE_SERVER = Credentials("service-client-jwt", "service-client-jwt-secret")


def _parsed(line: str) -> dict[str, Any]:
    if not line.startswith("{"):
        return {}
    try:
        return dict(json.loads(line))
    except ValueError:
        return {}
