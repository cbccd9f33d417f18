"""Health endpoints for orchestrators and load balancers: `/livez` and `/readyz`."""

from collections.abc import Sequence
from typing import Literal

import msgspec
from aiohttp import web

from api.http.operation import READ, Operation, ResponseSpec
from api.http.responses import encode_json, json_response
from api.logging.redaction import redact_text
from api.service.running_service import RunningService
from ledger.domain.errors import Unavailable
from projections.following.status import ProjectionStatus, State


class ProjectionHealth(msgspec.Struct, frozen=True):
    """The public part of a projection's status."""

    log: str
    projection: str
    state: State
    position: int
    head: int
    lag_seconds: float
    stopped_at: int | None = None


class Health(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`problems`, one sentence each, if not ready; `projections` if ready and shown."""

    status: Literal["live", "ready", "not ready"]
    problems: tuple[str, ...] = ()
    projections: tuple[ProjectionHealth, ...] | None = None


LIVEZ = Operation(
    name="livez",
    methods=READ,
    tag="health",
    quiet=True,
    summary="Whether the process is alive",
    responses=(ResponseSpec(description="It is alive.", models=(Health,), example={"status": "live"}),),
)
READYZ = Operation(
    name="readyz",
    methods=READ,
    tag="health",
    quiet=True,
    summary="Whether the process can serve requests",
    responses=(
        ResponseSpec(description="It can serve requests.", models=(Health,), example={"status": "ready"}),
        ResponseSpec(description="It cannot; `problems` says why.", status=503, models=(Health,)),
    ),
)

LIVE = b'{"status":"live"}'


class HealthEndpoints:
    """Live: the process responds. Ready: its database is also reachable and migrated."""

    def __init__(self, service: RunningService, *, with_projections: bool = True) -> None:
        """`with_projections` includes the status of projections, without authentication."""
        self._service = service
        self._with_projections = with_projections

    async def live(self, _request: web.Request) -> web.StreamResponse:
        """Return 200 while the event loop runs. An unreachable database is no reason to restart the process."""
        return json_response(LIVE)

    async def ready(self, _request: web.Request) -> web.StreamResponse:
        """Return 200, or 503 with a sentence for each problem.

        A lagging or stopped projection is not a problem: the OAuth endpoints do not depend on those that lag.
        """
        problems = await self._service.problems()
        if problems:
            return _not_ready(problems)
        projections: tuple[ProjectionHealth, ...] | None = None
        if self._with_projections:
            try:
                projections = tuple(_health_of(status) for status in await self._service.projections())
            except Unavailable as error:  # since the check above
                return _not_ready([str(error)])
        return json_response(encode_json(Health(status="ready", projections=projections)))


def _not_ready(problems: Sequence[str]) -> web.StreamResponse:
    reasons = tuple(redact_text(problem) for problem in problems)
    return json_response(encode_json(Health(status="not ready", problems=reasons)), 503)


def _health_of(status: ProjectionStatus) -> ProjectionHealth:
    return ProjectionHealth(
        log=status.log,
        projection=status.projection,
        state=status.state,
        position=status.position,
        head=status.head,
        lag_seconds=round(status.lag_seconds, 3),
        stopped_at=status.stopped.position if status.stopped else None,
    )
