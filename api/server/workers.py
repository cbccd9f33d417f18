"""Several worker processes under gunicorn, which starts them, restarts them and passes signals on.

Each worker builds its own service after the fork. Workers share only the listening socket and a directory of metrics
sockets.
"""

import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from mmap import mmap
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import structlog
from aiohttp import web
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger

from api.server.process import ServerPlan, build_runner
from api.server.start_up import StartUpSignals

UNRESPONSIVE_SECONDS = 60
"""A worker whose event loop is blocked for this long is replaced."""

KILL_GRACE_SECONDS = 10
"""How long a worker may drain its append queue, after the shutdown time of its requests, before it is killed."""


def run_workers(plan: ServerPlan, listening: socket.socket, workers: int, start_up: StartUpSignals) -> bool:
    """Serve until SIGTERM or SIGINT. Returns False when a worker refused the database or gunicorn failed."""
    parent = os.getpid()
    structlog.get_logger().info("starting workers", pid=parent, workers=workers)
    code = 1
    socket_dir = create_worker_socket_dir() if plan.metrics else None
    application = _Workers(replace(plan, worker_socket_dir=socket_dir), listening, workers, start_up)
    try:
        Arbiter(application).run()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        # A worker is a fork: it exits here and must not run the parent's clean-up, such as stopping a database.
        if os.getpid() != parent:
            os._exit(code)
        if socket_dir is not None:
            rmtree(socket_dir, ignore_errors=True)
    return code == 0 and not application.refused[0]


def create_worker_socket_dir() -> Path | None:
    """Create a directory that no other user can enter; None when there is no writable place for one."""
    try:
        return Path(mkdtemp(prefix="token-ledger-workers-"))
    except OSError as error:
        structlog.get_logger().warning("metrics cover one process only", reason=str(error))
        return None


class StructuredLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Sends gunicorn's log lines to the logging of this process."""

    def setup(self, cfg: Any) -> None:
        """Add no handlers."""
        self.cfg = cfg
        self.error_log.propagate = True
        # Workers log that they are ready and that they stop, so gunicorn need not.
        self.error_log.setLevel(logging.WARNING)


class _Workers(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    def __init__(self, plan: ServerPlan, listening: socket.socket, workers: int, start_up: StartUpSignals) -> None:
        self._plan = plan
        self._start_up = start_up
        self._listening = listening
        self._count = workers
        self.refused = mmap(-1, 1)  # shared with the workers, any of which may refuse the database
        super().__init__(prog="token-ledger")

    def load_config(self) -> None:
        settings = {
            # gunicorn closes this socket, so that no connections are accepted while the workers drain.
            "bind": f"fd://{self._listening.detach()}",
            "workers": self._count,
            "worker_class": "aiohttp.GunicornUVLoopWebWorker",
            "timeout": UNRESPONSIVE_SECONDS,
            "graceful_timeout": int(self._plan.shutdown_seconds) + KILL_GRACE_SECONDS,
            "logger_class": StructuredLogger,
            "control_socket_disable": True,
            "when_ready": self._forward_early_signal,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def _forward_early_signal(self, _arbiter: Arbiter) -> None:
        """Repeat a signal that arrived before gunicorn handled signals."""
        if self._start_up.stop_requested:
            os.kill(os.getpid(), signal.SIGTERM)

    def load(self) -> Callable[[], Awaitable[web.AppRunner]]:
        def refuse() -> None:
            self.refused[0] = 1
            os.kill(os.getppid(), signal.SIGTERM)

        async def runner() -> web.AppRunner:
            structlog.get_logger().info("server ready", pid=os.getpid())
            return await build_runner(self._plan, refuse)

        return runner
