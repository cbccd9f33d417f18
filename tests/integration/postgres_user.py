"""A process that uses the embedded PostgreSQL of a folder, to be talked to over pipes, interrupted or killed.

Run as `python postgres_user.py FOLDER`. It prints `started` with the server's process id, then answers lines: `ask`
with the server's process id as the database tells it, `fork` after a forked copy of it has called stop, `stop` after
stopping. Ctrl-C is answered with `interrupted`.
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
    """Such a process, seen from a test."""

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

    def hears(self) -> str:
        """The next line it prints, once it does; empty when it ended."""
        return self._process.stdout.readline().strip()

    def asked(self, word: str) -> str:
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        return self.hears()

    def interrupt(self) -> str:
        """Ctrl-C: to every process of its group."""
        os.killpg(self._process.pid, signal.SIGINT)
        return self.hears()

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


async def server_process(dsn: str) -> int:
    """The process id of the server that answers there, by its own word."""
    connection = await asyncpg.connect(dsn)
    try:
        lines = await connection.fetchval("SELECT pg_read_file('postmaster.pid')")
    finally:
        await connection.close()
    return int(lines.split()[0])


def _say(line: str) -> None:
    """One system call: the signal may come while a line is being said, and a buffered stream takes no second writer."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


def _main(folder: Path) -> None:
    postgres = EmbeddedPostgres(folder)
    postgres.start()
    signal.signal(signal.SIGINT, lambda *_: _say("interrupted"))
    _say(f"started {asyncio.run(server_process(postgres.superuser_dsn))}")
    for line in sys.stdin:
        match line.strip():
            case "ask":
                _say(f"{asyncio.run(server_process(postgres.superuser_dsn))}")
            case "fork":
                child = os.fork()
                if not child:
                    postgres.stop()
                    os._exit(0)
                os.waitpid(child, 0)
                _say("forked")
            case "stop":
                postgres.stop()
                _say("stopped")


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
