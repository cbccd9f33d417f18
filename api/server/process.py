"""Serve from one process until SIGTERM or SIGINT, then finish the requests in flight."""

import asyncio
import gc
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog
import uvloop
from aiohttp import web

from api.http.app import create_app
from api.http.fast_path.server import create_runner
from api.operations.demo import DemoRefused, refuse_demo_clients
from api.server.start_up import SIGNALS, StartUpSignals
from api.service.composition import Service, ServiceConfig
from api.service.running_service import RunningService
from ledger.domain.errors import Unavailable

DRAIN_TIMEOUT_SECONDS = 5.0
"""How long the append queue may take to drain after requests in flight are given up."""

DEMO_CHECK_RETRY_SECONDS = 1.0

GC_THRESHOLDS = (20_000, 20, 100)
"""Requests create few reference cycles, so collections may be rare."""


@dataclass(frozen=True)
class ServerPlan:
    """What a server process runs.

    `shutdown_seconds`: how long requests in flight may take after a stop signal.
    `watch_for_demo_clients`: the database was down at start-up, so check it for demo clients when it is up.
    `follow`: run the catch-up projections.
    `sweep_seconds`: how long expired rows may stay; 0 turns the sweep off.
    `verify_seconds`: within which time the views are compared with the log; 0 turns that off.
    `oauth`: serve the issuers, not only health and metrics.
    `worker_socket_dir`: where several workers of one service create their metrics sockets.
    """

    config: ServiceConfig
    shutdown_seconds: float
    behind_proxy: bool = False
    watch_for_demo_clients: bool = False
    follow: bool = True
    sweep_seconds: float = 0
    verify_seconds: float = 0
    metrics: bool = True
    oauth: bool = True
    worker_socket_dir: Path | None = None


def run_server(plan: ServerPlan, listening: socket.socket | None, start_up: StartUpSignals) -> bool:
    """Serve until SIGTERM or SIGINT, then drain; a second signal gives up requests in flight.

    Without a socket the process only follows the log. Returns False when it stopped because it refuses this database.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(plan, listening, start_up))


async def build_runner(plan: ServerPlan, refuse: Callable[[], None]) -> web.AppRunner:
    """Build the application and its own service, which closes with it. `refuse` stops the server."""
    tune_gc()
    service = Service(plan.config)
    if plan.follow:
        service.follow()
    if plan.sweep_seconds:
        service.sweep(plan.sweep_seconds)
    if plan.verify_seconds:
        service.verify(plan.verify_seconds)
    app = create_app(
        service,
        behind_proxy=plan.behind_proxy,
        metrics=plan.metrics,
        worker_socket_dir=plan.worker_socket_dir,
        issuers=None if plan.oauth else (),
    )

    async def log_stopping(_: web.Application) -> None:
        structlog.get_logger().info("stopping", pid=os.getpid(), timeout_seconds=plan.shutdown_seconds)

    app.on_shutdown.append(log_stopping)  # aiohttp calls it when the listening socket is closed
    if plan.watch_for_demo_clients:
        service.run_task(_refuse_demo_database(service, refuse))
    return create_runner(app, shutdown_timeout=plan.shutdown_seconds)


def tune_gc() -> None:
    """Exclude the objects loaded so far from garbage collection, and collect less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


async def _serve(plan: ServerPlan, listening: socket.socket | None, start_up: StartUpSignals) -> bool:
    loop = asyncio.get_running_loop()
    stop, abort, refused = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (abort if stop.is_set() else stop).set()

    def refuse() -> None:
        refused.set()
        stop.set()

    for number in SIGNALS:
        loop.add_signal_handler(number, on_signal)
    if start_up.stop_requested:
        stop.set()
    runner = await build_runner(plan, refuse)
    await runner.setup()
    if listening is not None:
        await web.SockSite(runner, listening).start()
        structlog.get_logger().info("server ready", pid=os.getpid())
    await stop.wait()
    await _shut_down(runner, abort, plan.shutdown_seconds)
    return not refused.is_set()


async def _shut_down(runner: web.AppRunner, abort: asyncio.Event, seconds: float) -> None:
    """Stop listening, finish requests in flight, drain the append queue and disconnect from the database."""
    cleanup, aborted = asyncio.ensure_future(runner.cleanup()), asyncio.ensure_future(abort.wait())
    timeout = seconds + DRAIN_TIMEOUT_SECONDS
    await asyncio.wait({cleanup, aborted}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    aborted.cancel()
    if cleanup.done():
        await cleanup
        return
    cleanup.cancel()
    with suppress(asyncio.CancelledError):
        await cleanup
    with suppress(TimeoutError):
        await asyncio.wait_for(runner.app.cleanup(), DRAIN_TIMEOUT_SECONDS)


async def _refuse_demo_database(service: RunningService, refuse: Callable[[], None]) -> None:
    """Wait for the database, and stop the server if it holds demo clients, as start-up would have."""
    for issuer in service.issuers:
        while True:
            try:
                refuse_demo_clients(issuer, await issuer.clients.list_all())
            except Unavailable:
                await asyncio.sleep(DEMO_CHECK_RETRY_SECONDS)
            except DemoRefused as refusal:
                structlog.get_logger().critical("refusing to serve", reason=str(refusal))
                refuse()
                return
            else:
                break
