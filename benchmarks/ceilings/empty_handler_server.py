"""An aiohttp process that parses the same form as the service, returns a fixed response and does nothing else.

    python -m benchmarks.ceilings.empty_handler_server PORT RESPONSES

RESPONSES is a JSON file with a body for each path. The bodies are prepared bytes, so the process does not even encode
JSON: only aiohttp, uvloop and form parsing remain.
"""

import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop
from aiohttp import web


def create_app(bodies: dict[str, str]) -> web.Application:
    app = web.Application()
    for path, body in bodies.items():
        app.router.add_post(path, _handler(body.encode()))
    return app


def _handler(body: bytes) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        await request.post()
        return web.Response(body=body, content_type="application/json")

    return handle


def main(port: str, responses: str) -> None:
    app = create_app(json.loads(Path(responses).read_text()))
    web.run_app(app, host="127.0.0.1", port=int(port), access_log=None, print=None, loop=uvloop.new_event_loop())


if __name__ == "__main__":
    main(*sys.argv[1:])
