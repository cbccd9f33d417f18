"""Several processes that serve, under gunicorn: it starts them, restarts them, and passes signals on.

Each makes its own service after the fork; they share nothing but the socket, and a folder where they find each other.
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
from api.server.start_up import StartUp

UNRESPONSIVE_SECONDS = 60
"""A worker whose event loop has not turned for this long is replaced."""

SPARE_SECONDS = 10
"""What a worker gets beyond the shutdown time of its requests, to drain its queue, before it is killed."""


def serve_by_workers(plan: ServerPlan, listening: socket.socket, workers: int, start_up: StartUp) -> bool:
    """Serve until SIGTERM or SIGINT; returns whether it ended because it was asked to."""
    parent = os.getpid()
    structlog.get_logger().info("starting workers", pid=parent, workers=workers)
    code = 1
    worker_socket_dir = _meeting_place() if plan.metrics else None
    application = _Workers(replace(plan, worker_socket_dir=worker_socket_dir), listening, workers, start_up)
    try:
        Arbiter(application).run()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        # A worker is a fork: it ends here, and not in what the parent has still to stop, such as a database.
        if os.getpid() != parent:
            os._exit(code)
        if worker_socket_dir is not None:
            rmtree(worker_socket_dir, ignore_errors=True)
    return code == 0 and not application.refused


def _meeting_place() -> Path | None:
    """A new folder that no other user may enter, or None where there is no place for one."""
    try:
        return Path(mkdtemp(prefix="token-ledger-workers-"))
    except OSError as error:
        structlog.get_logger().warning("metrics are of one process at a time", reason=str(error))
        return None


class StructuredLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Leaves gunicorn's lines to the logging that the process has set up."""

    def setup(self, cfg: Any) -> None:
        """Add no handlers of gunicorn's own."""
        self.cfg = cfg
        self.error_log.propagate = True
        # What it tells besides is told by the workers: that they are ready, and that they stop.
        self.error_log.setLevel(logging.WARNING)

    def access(self, *_: Any) -> None:
        """Nothing: the application writes one line per request."""

    def reopen_files(self) -> None:
        """Nothing: there are no files."""

    def close_on_exec(self) -> None:
        """Nothing: there are no files."""


class _Workers(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    def __init__(self, plan: ServerPlan, listening: socket.socket, workers: int, start_up: StartUp) -> None:
        self._plan = plan
        self._start_up = start_up
        self._listening = listening
        self._count = workers
        self._refused = mmap(-1, 1)  # shared with the workers: one of them may find a reason not to serve
        super().__init__(prog="token-ledger")

    @property
    def refused(self) -> bool:
        """Whether a worker found that this database is not to be served."""
        return self._refused[0] != 0

    def load_config(self) -> None:
        settings = {
            # Gunicorn closes it, so that nothing is left that takes connections while the workers drain.
            "bind": f"fd://{self._listening.detach()}",
            "workers": self._count,
            "worker_class": "aiohttp.GunicornUVLoopWebWorker",
            "timeout": UNRESPONSIVE_SECONDS,
            "graceful_timeout": int(self._plan.shutdown_seconds) + SPARE_SECONDS,
            "logger_class": StructuredLogger,
            "control_socket_disable": True,
            "when_ready": self._pass_on,
        }
        for name, value in settings.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def _pass_on(self, _arbiter: Arbiter) -> None:
        """A signal that came before gunicorn handles signals; it does from here on."""
        if self._start_up.asked_to_stop:
            os.kill(os.getpid(), signal.SIGTERM)

    def load(self) -> Callable[[], Awaitable[web.AppRunner]]:
        def refuse() -> None:
            self._refused[0] = 1
            os.kill(os.getppid(), signal.SIGTERM)

        async def runner() -> web.AppRunner:
            structlog.get_logger().info("ready to answer", pid=os.getpid())
            return await build_runner(self._plan, refuse)

        return runner
