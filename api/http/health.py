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
from projections.view_check import ViewCheckResult


class ProjectionHealth(msgspec.Struct, frozen=True):
    """The public part of a projection's status."""

    log: str
    projection: str
    state: State
    position: int
    head: int
    lag_seconds: float
    stopped_at: int | None = None


class VerificationHealth(msgspec.Struct, frozen=True):
    """The public part of the comparison of a log's projections with the log.

    `age_seconds` is the time since the last complete round started, null before the first.
    """

    log: str
    rows: int
    differences: int
    age_seconds: float | None


class Health(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`problems`, one sentence each, if not ready; `projections` and `verification` if ready and shown."""

    status: Literal["live", "ready", "not ready"]
    problems: tuple[str, ...] = ()
    projections: tuple[ProjectionHealth, ...] | None = None
    verification: tuple[VerificationHealth, ...] | None = None


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

        A lagging or stopped projection is not a problem: the OAuth endpoints do not depend on those that lag. Nor is a
        difference between a projection and the log: one row is no reason to refuse all requests.
        """
        problems = await self._service.problems()
        if problems:
            return _not_ready(problems)
        health = Health(status="ready")
        if self._with_projections:
            try:
                health = Health(
                    status="ready",
                    projections=tuple(_health_of(status) for status in await self._service.projections()),
                    verification=tuple(map(_verification_of, await self._service.verification())),
                )
            except Unavailable as error:  # since the check above
                return _not_ready([str(error)])
        return json_response(encode_json(health))


def _not_ready(problems: Sequence[str]) -> web.StreamResponse:
    reasons = tuple(redact_text(problem) for problem in problems)
    return json_response(encode_json(Health(status="not ready", problems=reasons)), 503)


def _verification_of(result: ViewCheckResult) -> VerificationHealth:
    age = None if result.age_seconds is None else round(result.age_seconds, 3)
    return VerificationHealth(result.log, result.rows, result.differences, age)


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
