"""Runs commands, and servers as processes until they are stopped with their children."""

import http.client
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from benchmarks.errors import ContenderUnavailable

START_SECONDS = 120.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.05
LOG_LINES = 20


@contextmanager
def running_process(
    command: Sequence[str],
    *urls: str,
    log: Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    seconds: float = START_SECONDS,
) -> Iterator[int]:
    """Run a server in its own process group, with its output in `log`; yield its process id.

    `environment` extends the environment of this process; `folder` is the working directory. It is ready when a GET of
    each URL returns a status below 500. Raises ContenderUnavailable with the end of the log when that takes too long.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
            cwd=folder,
            start_new_session=True,
        )
        try:
            for url in urls:
                _wait_until_ready(url, process, log, seconds)
            yield process.pid
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    address = urlsplit(url)
    while process.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=5)
        try:
            connection.request("GET", address.path or "/")
            if connection.getresponse().status < http.client.INTERNAL_SERVER_ERROR:
                return
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(POLL_SECONDS)
    what = "exited" if process.poll() is not None else f"did not respond at {url} within {seconds:.0f} s"
    msg = f"it {what}:\n{read_log_tail(log)}"
    raise ContenderUnavailable(msg)


def read_log_tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:])


def run_command(
    command: Sequence[str], *, environment: Mapping[str, str] | None = None, folder: Path | None = None, seconds: float
) -> str:
    """Run a command and return its output. Raises ContenderUnavailable with the end of its output when it fails."""
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **(environment or {})},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError:
        msg = f"{command[0]} is not installed"
        raise ContenderUnavailable(msg) from None
    except subprocess.TimeoutExpired:
        msg = f"{command[0]} did not finish within {seconds:.0f} s"
        raise ContenderUnavailable(msg) from None
    if done.returncode:
        output = f"{done.stdout}\n{done.stderr}".strip().splitlines()
        msg = f"{command[0]} exited with {done.returncode}:\n" + "\n".join(output[-LOG_LINES:])
        raise ContenderUnavailable(msg)
    return done.stdout


def process_tree(pid: int) -> list[int]:
    """Return the ids of a process and its descendants."""
    try:
        process = psutil.Process(pid)
        return [pid, *(child.pid for child in process.children(recursive=True))]
    except psutil.Error:
        return [pid]
