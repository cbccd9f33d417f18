"""A process that uses the embedded PostgreSQL of a folder, which tests control over pipes, interrupt or kill.

Run as `python postgres_user.py FOLDER`. It prints `started` and the server's process id, then reads commands: `pid`
prints the server's process id, `fork` prints `forked` when a forked child has called stop, and `stop` prints `stopped`
after it has stopped. On Ctrl-C it prints `interrupted`.
"""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

import asyncpg

from api.embedded_postgres import EmbeddedPostgres

ROOT = Path(__file__).parents[2]


class PostgresUser:
    """Controls such a process from a test."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", __file__, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def read_line(self) -> str:
        """Return the next line that it prints; empty when it has ended."""
        return self._process.stdout.readline().strip()

    def send(self, command: str) -> str:
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return self.read_line()

    def interrupt(self) -> str:
        """Send Ctrl-C to every process of its group."""
        os.killpg(self._process.pid, signal.SIGINT)
        return self.read_line()

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


async def fetch_server_pid(dsn: str) -> int:
    """Return the process id that the server itself reports."""
    connection = await asyncpg.connect(dsn)
    try:
        lines = await connection.fetchval("SELECT pg_read_file('postmaster.pid')")
    finally:
        await connection.close()
    return int(lines.split()[0])


def _print(line: str) -> None:
    """Write with one system call: a signal may arrive during a write, and buffered streams are not reentrant."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


def _main(folder: Path) -> None:
    postgres = EmbeddedPostgres(folder)
    postgres.start()
    signal.signal(signal.SIGINT, lambda *_: _print("interrupted"))
    _print(f"started {asyncio.run(fetch_server_pid(postgres.superuser_dsn))}")
    for line in sys.stdin:
        match line.strip():
            case "pid":
                _print(f"{asyncio.run(fetch_server_pid(postgres.superuser_dsn))}")
            case "fork":
                child = os.fork()
                if not child:
                    postgres.stop()
                    os._exit(0)
                os.waitpid(child, 0)
                _print("forked")
            case "stop":
                postgres.stop()
                _print("stopped")


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
