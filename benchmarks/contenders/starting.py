"""Starting a server as a process, waiting until it answers, and ending it with all that it started."""

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

from benchmarks.contenders.contender import CannotHave

START_SECONDS = 120.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.05
LOG_LINES = 20


@contextmanager
def answering(
    command: Sequence[str],
    *urls: str,
    log: Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    seconds: float = START_SECONDS,
) -> Iterator[int]:
    """Within, the command runs in a process group of its own, with its output in `log`; gives the id of its process.

    `environment` comes on top of ours; `folder` is where it is started. The beginning waits until a GET of each URL is
    answered with less than 500. Raises CannotHave with the end of the log when one is not within so many seconds.
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
                _wait_until_answers(url, process, log, seconds)
            yield process.pid
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_until_answers(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float) -> None:
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
    what = "ended" if process.poll() is not None else f"did not answer {url} within {seconds:.0f} s"
    msg = f"it {what}:\n{end_of(log)}"
    raise CannotHave(msg)


def end_of(log: Path) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:])


def run(
    command: Sequence[str], *, environment: Mapping[str, str] | None = None, folder: Path | None = None, seconds: float
) -> str:
    """Run a command to its end; its output. Raises CannotHave with the end of all that it said when it fails."""
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
        raise CannotHave(msg) from None
    except subprocess.TimeoutExpired:
        msg = f"{command[0]} was not done within {seconds:.0f} s"
        raise CannotHave(msg) from None
    if done.returncode:
        said = f"{done.stdout}\n{done.stderr}".strip().splitlines()
        msg = f"{command[0]} ended with {done.returncode}:\n" + "\n".join(said[-LOG_LINES:])
        raise CannotHave(msg)
    return done.stdout


def family(pid: int) -> list[int]:
    """A process and all that it started."""
    try:
        process = psutil.Process(pid)
        return [pid, *(child.pid for child in process.children(recursive=True))]
    except psutil.Error:
        return [pid]
