"""The yardstick: an aiohttp process that parses the same form and answers as many bytes, and does nothing else.

    python -m benchmarks.ceilings.handler PORT ANSWERS

ANSWERS is a JSON file, path to body. Bodies are given as bytes made beforehand, so not even JSON is encoded here: what
is left is aiohttp, uvloop and the form.
"""

import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop
from aiohttp import web


def create_app(answers: dict[str, str]) -> web.Application:
    app = web.Application()
    for path, answer in answers.items():
        app.router.add_post(path, _handler(answer.encode()))
    return app


def _handler(answer: bytes) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        await request.post()
        return web.Response(body=answer, content_type="application/json")

    return handle


def main(port: str, answers: str) -> None:
    app = create_app(json.loads(Path(answers).read_text()))
    web.run_app(app, host="127.0.0.1", port=int(port), access_log=None, print=None, loop=uvloop.new_event_loop())


if __name__ == "__main__":
    main(*sys.argv[1:])
