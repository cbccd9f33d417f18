"""The HTTP application: which endpoint is at which path."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import structlog
from aiohttp import HttpVersion11, hdrs, web

from api.http.audit.event_stream import EventStreamEndpoint
from api.http.audit.events import EventsEndpoint
from api.http.audit.histories import (
    ClientEventsEndpoint,
    TokenEventsEndpoint,
    TokenLookupEndpoint,
    TokenStateEndpoint,
)
from api.http.audit.problems import problem_renderer
from api.http.audit.streaming import OpenStreams
from api.http.audit.summary import SummaryEndpoint
from api.http.audit.token_list import TokenListEndpoint
from api.http.errors import NOT_FOUND, RequestError
from api.http.fast_path.server import ENDPOINTS
from api.http.form import MAX_BODY_BYTES
from api.http.health import LIVEZ, READYZ, HealthEndpoints
from api.http.instrumented_endpoint import Endpoint, InstrumentedEndpoint, RequestMeter
from api.http.metrics.endpoint import METRICS, MetricsEndpoint
from api.http.oauth import metadata
from api.http.oauth.endpoints import IntrospectionEndpoint, RevocationEndpoint, TokenEndpoint, client_error_renderer
from api.http.openapi import OPENAPI, OpenApiEndpoint
from api.http.operation import Operation
from api.service.running_service import RunningService
from ledger.use_cases.issuer import Issuer

SERVICE = web.AppKey("SERVICE", RunningService)

FORM_ENDPOINTS = (
    (metadata.TOKEN, TokenEndpoint),
    (metadata.INTROSPECT, IntrospectionEndpoint),
    (metadata.REVOKE, RevocationEndpoint),
)
AUDIT_ENDPOINTS = (
    ("/audit/tokens", TokenListEndpoint),
    ("/audit/tokens/lookup", TokenLookupEndpoint),
    ("/audit/tokens/{jti}", TokenStateEndpoint),
    ("/audit/tokens/{jti}/events", TokenEventsEndpoint),
    ("/audit/events", EventsEndpoint),
    ("/audit/clients/{client_id}/events", ClientEventsEndpoint),
    ("/audit/summary", SummaryEndpoint),
)
EVENT_STREAM = "/audit/events/stream"
OPENAPI_DOCUMENT = "/openapi.json"

Route = tuple[str, Endpoint]
"""The path of an endpoint, which may have parameters in braces."""


def create_app(
    service: RunningService,
    *,
    behind_proxy: bool = False,
    metrics: bool = True,
    worker_socket_dir: Path | None = None,
    issuers: Sequence[Issuer] | None = None,
) -> web.Application:
    """Create the application over a service, and close the service on cleanup.

    With `behind_proxy`, the last entry of X-Forwarded-For is trusted: set it only behind a proxy that always adds one.
    `metrics` serves /metrics without authentication; `worker_socket_dir` lets the worker processes find each other.
    `issuers` limits the issuers served. Configure logging first. Raises ValueError if two endpoints share a path.
    """
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    meter = RequestMeter()
    open_streams = OpenStreams()
    health = HealthEndpoints(service, with_projections=metrics)
    service_routes = [("/livez", Endpoint(LIVEZ, health.live)), ("/readyz", Endpoint(READYZ, health.ready))]
    if metrics:
        scraped = MetricsEndpoint(service, meter, worker_socket_dir)
        app.on_startup.append(scraped.start)
        app.on_cleanup.append(scraped.stop)
        service_routes.append(("/metrics", Endpoint(METRICS, scraped.handle)))
    routes = list(service_routes)
    for issuer in service.issuers if issuers is None else issuers:
        issuer_routes = list(_issuer_routes(issuer, open_streams, behind_proxy=behind_proxy))
        path = issuer.identifier.path + OPENAPI_DOCUMENT
        operations = {at: endpoint.operation for at, endpoint in [*service_routes, *issuer_routes]} | {path: OPENAPI}
        document = OpenApiEndpoint(issuer.identifier, operations)
        routes += [*issuer_routes, (path, Endpoint(OPENAPI, document.handle, issuer.identifier.log_name))]
    app[SERVICE] = service
    app[ENDPOINTS] = _add_routes(app.router, routes, meter)
    app.on_shutdown.append(open_streams.end_all)
    app.on_cleanup.append(_close_service)
    return app


def _issuer_routes(issuer: Issuer, open_streams: OpenStreams, *, behind_proxy: bool) -> Iterator[Route]:
    identifier = issuer.identifier
    path, name, realm = identifier.path, identifier.log_name, _quoted(identifier.url)
    render_client_error, render_problem = client_error_renderer(realm), problem_renderer(realm)
    for suffix, form_endpoint in FORM_ENDPOINTS:
        handler = form_endpoint(issuer, behind_proxy=behind_proxy).handle
        yield path + suffix, Endpoint(form_endpoint.OPERATION, handler, name, render_client_error, takes_forms=True)
    described = metadata.MetadataEndpoint(identifier)
    for well_known in metadata.well_known_paths(identifier):
        yield well_known, Endpoint(described.OPERATION, described.handle, name)
    for suffix, audit_endpoint in AUDIT_ENDPOINTS:
        yield path + suffix, Endpoint(audit_endpoint.OPERATION, audit_endpoint(issuer).handle, name, render_problem)
    stream = EventStreamEndpoint(issuer, open_streams)
    yield path + EVENT_STREAM, Endpoint(stream.OPERATION, stream.handle, name, render_problem)


def _add_routes(
    router: web.UrlDispatcher, routes: Iterable[Route], meter: RequestMeter
) -> dict[str, InstrumentedEndpoint]:
    """Route every method of every path to its endpoint, which refuses methods it does not have.

    Returns the endpoints whose path has no parameters.
    """
    log = structlog.get_logger().bind()
    endpoints: dict[str, InstrumentedEndpoint] = {}
    for path, endpoint in routes:
        if path in endpoints:
            msg = f"two endpoints have the path {path!r}: give each issuer a path of its own"
            raise ValueError(msg)
        instrumented = endpoints[path] = InstrumentedEndpoint(endpoint, log, meter)
        # The default placeholder does not match braces, and a client id may contain them.
        resource = router.add_resource(path.replace("}", ":[^/]+}"))
        for method in (*endpoint.operation.methods, hdrs.METH_ANY):
            resource.add_route(method, instrumented.handle, expect_handler=_continue)
    unknown = Operation(name="none", methods=(), summary="", tag="", responses=())
    not_found = InstrumentedEndpoint(Endpoint(unknown, _refuse_path), log, meter)
    any_target = _AnyTarget("/")
    any_target.add_route(hdrs.METH_ANY, not_found.handle, expect_handler=_continue)
    router.register_resource(any_target)
    return {path: endpoint for path, endpoint in endpoints.items() if "{" not in path}


class _AnyTarget(web.PlainResource):
    """Match any request target, including `*` and the authority of a CONNECT. Registered last."""

    async def resolve(self, request: web.Request) -> tuple[web.UrlMappingMatchInfo, set[str]]:  # noqa: ARG002
        (route,) = self
        return web.UrlMappingMatchInfo({}, route), {hdrs.METH_ANY}


async def _refuse_path(_request: web.Request) -> web.StreamResponse:
    raise RequestError(NOT_FOUND)


def _quoted(realm: str) -> str:
    """Format a realm as a quoted-string (RFC 9110 §5.6.4)."""
    escaped = realm.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


async def _continue(request: web.Request) -> None:
    """Send 100 Continue if the client expects it (RFC 9110 §10.1.1); ignore any other expectation."""
    if request.headers[hdrs.EXPECT].lower() == "100-continue" and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # this was not the response yet


async def _close_service(app: web.Application) -> None:
    await app[SERVICE].close()
