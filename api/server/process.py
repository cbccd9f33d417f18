"""One process that serves: it starts, answers, and on SIGTERM or SIGINT finishes what it has begun."""

import asyncio
import gc
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog
import uvloop
from aiohttp import web

from api.http.app import create_app
from api.http.http_server import create_runner
from api.operations.demo import DemoRefused, refuse_demo_clients
from api.server.start_up import StartUp
from api.service.composition import ServiceConfig, start_service
from api.service.running_service import RunningService
from ledger.domain.errors import Unavailable

HURRY_SECONDS = 5.0
"""How long the append queue may take to drain once requests in flight are no longer waited for."""

RETRY_SECONDS = 1.0
"""How often a database that is away is asked for demo clients."""

COLLECT_AFTER = (20_000, 20, 100)
"""Thresholds of the garbage collector. A request makes hardly any cycles, so it need not look after every few."""


@dataclass(frozen=True)
class ServerPlan:
    """How to serve. `shutdown_seconds` is what requests in flight may take after a signal to stop.

    `watch_for_demo_clients`: the database could not be asked for them before the start, so ask once it is there.
    `follow`: keep the catch-up projections up to date. `oauth`: answer as the issuers, and not about health alone.
    `sweep_seconds`: within which rows are to be gone after they expired; 0 leaves them to other processes.
    `worker_socket_dir`: the folder where the processes of this service find each other, where there are several.
    """

    config: ServiceConfig
    shutdown_seconds: float
    behind_proxy: bool = False
    watch_for_demo_clients: bool = False
    follow: bool = True
    sweep_seconds: float = 0
    metrics: bool = True
    oauth: bool = True
    worker_socket_dir: Path | None = None


def serve_in_this_process(plan: ServerPlan, listening: socket.socket | None, start_up: StartUp) -> bool:
    """Serve until SIGTERM or SIGINT, then drain; a second signal stops waiting for requests in flight.

    Without a socket it follows the log and answers nobody. Returns whether it ended because it was asked to, and not
    because it refuses to serve this database.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(plan, listening, start_up))


async def build_runner(plan: ServerPlan, refuse: Callable[[], None]) -> web.AppRunner:
    """The runner of the application over a service of its own, which ends with it. `refuse` ends the server."""
    _spare_the_collector()
    service = await start_service(plan.config)
    if plan.follow:
        service.follow()
    if plan.sweep_seconds:
        service.sweep(plan.sweep_seconds)
    app = create_app(
        service,
        behind_proxy=plan.behind_proxy,
        metrics=plan.metrics,
        worker_socket_dir=plan.worker_socket_dir,
        issuers=None if plan.oauth else (),
    )

    async def tell(_: web.Application) -> None:  # by now no new connections are taken
        structlog.get_logger().info("stopping", pid=os.getpid(), waiting_at_most_seconds=plan.shutdown_seconds)

    app.on_shutdown.append(tell)
    if plan.watch_for_demo_clients:
        app.cleanup_ctx.append(lambda _: _watching(service, refuse))
    return create_runner(app, shutdown_timeout=plan.shutdown_seconds)


def _spare_the_collector() -> None:
    """What was loaded until now stays until the end: the garbage collector need not go through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


async def _serve(plan: ServerPlan, listening: socket.socket | None, start_up: StartUp) -> bool:
    loop = asyncio.get_running_loop()
    stopping, hurrying, refusing = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (hurrying if stopping.is_set() else stopping).set()

    def refuse() -> None:
        refusing.set()
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    if start_up.asked_to_stop:
        stopping.set()
    runner = await build_runner(plan, refuse)
    await runner.setup()
    if listening is not None:
        await web.SockSite(runner, listening).start()
        structlog.get_logger().info("ready to answer", pid=os.getpid())
    await stopping.wait()
    await _stop(runner, hurrying, plan.shutdown_seconds)
    return not refusing.is_set()


async def _stop(runner: web.AppRunner, hurrying: asyncio.Event, seconds: float) -> None:
    """Stop listening, let requests in flight finish, drain the append queue, let go of the database."""
    cleanup = asyncio.ensure_future(runner.cleanup())
    hurry = asyncio.ensure_future(hurrying.wait())
    await asyncio.wait({cleanup, hurry}, timeout=seconds + HURRY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    hurry.cancel()
    if not cleanup.done():
        cleanup.cancel()
        with suppress(asyncio.CancelledError):
            await cleanup
        with suppress(TimeoutError):
            await asyncio.wait_for(runner.app.cleanup(), HURRY_SECONDS)
    else:
        await cleanup


async def _watching(service: RunningService, refuse: Callable[[], None]) -> AsyncIterator[None]:
    task = asyncio.create_task(_watch(service, refuse))
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _watch(service: RunningService, refuse: Callable[[], None]) -> None:
    """Once the database is there: stop the server if it holds demo clients, as it would not have started with it."""
    for issuer in service.issuers:
        while True:
            try:
                refuse_demo_clients(issuer, await issuer.clients.all())
            except Unavailable:
                await asyncio.sleep(RETRY_SECONDS)
            except DemoRefused as refusal:
                structlog.get_logger().critical("refusing to serve", reason=str(refusal))
                refuse()
                return
            else:
                break
