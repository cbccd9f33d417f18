"""Health endpoints for whoever starts and routes to processes: `/livez` and `/readyz`."""

from typing import Literal

import msgspec
from aiohttp import web

from api.operation import READ, Operation, Reply
from api.redaction import redact_text
from api.responses import encode_json, json_response
from api.service import RunningService


class Health(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How it is; `problems`, a sentence each, when it is not ready."""

    status: Literal["live", "ready", "not ready"]
    problems: tuple[str, ...] = ()


LIVEZ = Operation(
    name="livez",
    methods=READ,
    tag="health",
    summary="Whether the process answers",
    replies=(Reply(description="It does.", models=(Health,), example={"status": "live"}),),
)
READYZ = Operation(
    name="readyz",
    methods=READ,
    tag="health",
    summary="Whether it can serve",
    replies=(
        Reply(description="It can.", models=(Health,), example={"status": "ready"}),
        Reply(description="It cannot; why not.", status=503, models=(Health,)),
    ),
)

LIVE = b'{"status":"live"}'
READY = b'{"status":"ready"}'


class HealthEndpoints:
    """Live: the process answers. Ready: it can also serve, because its database is there and migrated."""

    def __init__(self, service: RunningService) -> None:
        self._service = service

    async def live(self, _request: web.Request) -> web.StreamResponse:
        """200 as long as the event loop turns; a database that is away is no reason to restart the process."""
        return json_response(LIVE)

    async def ready(self, _request: web.Request) -> web.StreamResponse:
        """200, or 503 with a sentence for each thing that is in the way."""
        problems = await self._service.problems()
        if not problems:
            return json_response(READY)
        reasons = [redact_text(problem) for problem in problems]
        return json_response(encode_json(Health(status="not ready", problems=tuple(reasons))), 503)
