"""The HTTP application: which endpoint is at which path."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import structlog
from aiohttp import HttpVersion11, hdrs, web
from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from api.http.audit.clients import ClientEventsEndpoint
from api.http.audit.event_stream import EventStreamEndpoint
from api.http.audit.events import EventsEndpoint
from api.http.audit.problems import problem_renderer
from api.http.audit.streaming import OpenStreams
from api.http.audit.summary import SummaryEndpoint
from api.http.audit.token_list import TokenListEndpoint
from api.http.audit.tokens import TokenEventsEndpoint, TokenLookupEndpoint, TokenStateEndpoint
from api.http.direct import FORMS
from api.http.errors import METHOD_NOT_ALLOWED, NOT_FOUND, RequestError
from api.http.form import MAX_BODY_BYTES
from api.http.health import LIVEZ, READYZ, HealthEndpoints
from api.http.http_server import DIRECT, Direct
from api.http.instrumented_endpoint import Endpoint, FormHandler, Handler, InstrumentedEndpoint, RequestMeter
from api.http.metrics.endpoint import METRICS, MetricsEndpoint
from api.http.oauth import metadata
from api.http.oauth.client_endpoint import client_error_renderer
from api.http.oauth.introspect import IntrospectionEndpoint
from api.http.oauth.revoke import RevocationEndpoint
from api.http.oauth.token import TokenEndpoint
from api.http.openapi.document import OPENAPI, OpenApiEndpoint
from api.http.operation import Operation
from api.http.request_context import FormRequest
from api.http.responses import RawResponse
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


class Route(Struct, frozen=True):
    """An endpoint at a path."""

    path: str
    endpoint: Endpoint
    handler: Any
    """A `Handler`, or a `FormHandler` if `is_form`."""
    is_form: bool = False


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
    service_routes = list(_health_routes(service, with_projections=metrics))
    if metrics:
        scraped = MetricsEndpoint(service, meter, worker_socket_dir)
        app.on_startup.append(scraped.start)
        app.on_cleanup.append(scraped.stop)
        service_routes.append(Route("/metrics", Endpoint(METRICS), scraped.handle))
    routes = list(service_routes)
    for issuer in service.issuers if issuers is None else issuers:
        issuer_routes = list(_issuer_routes(issuer, open_streams, behind_proxy=behind_proxy))
        routes += [*issuer_routes, _openapi_route(issuer, [*service_routes, *issuer_routes])]
    app[SERVICE] = service
    log = structlog.get_logger().bind()
    app[FORMS] = _form_handlers(routes, log, meter)
    app[DIRECT] = _add_routes(app.router, routes, log, meter)
    app.on_shutdown.append(open_streams.end_all)
    app.on_cleanup.append(_close_service)
    return app


def _health_routes(service: RunningService, *, with_projections: bool) -> Iterator[Route]:
    health = HealthEndpoints(service, with_projections=with_projections)
    yield Route("/livez", Endpoint(LIVEZ), health.live)
    yield Route("/readyz", Endpoint(READYZ), health.ready)


def _issuer_routes(issuer: Issuer, open_streams: OpenStreams, *, behind_proxy: bool) -> Iterator[Route]:
    identifier = issuer.identifier
    path, name, realm = identifier.path, identifier.log_name, _quoted(identifier.url)
    render_client_error, render_problem = client_error_renderer(realm), problem_renderer(realm)
    for suffix, form_endpoint in FORM_ENDPOINTS:
        endpoint = Endpoint(form_endpoint.OPERATION, name, render_client_error)
        yield Route(path + suffix, endpoint, form_endpoint(issuer, behind_proxy=behind_proxy).handle, is_form=True)
    described = metadata.MetadataEndpoint(identifier)
    for well_known in metadata.well_known_paths(identifier):
        yield Route(well_known, Endpoint(described.OPERATION, name), described.handle)
    for suffix, audit_endpoint in AUDIT_ENDPOINTS:
        endpoint = Endpoint(audit_endpoint.OPERATION, name, render_problem)
        yield Route(path + suffix, endpoint, audit_endpoint(issuer).handle)
    stream = EventStreamEndpoint(issuer, open_streams)
    yield Route(path + EVENT_STREAM, Endpoint(stream.OPERATION, name, render_problem), stream.handle)


def _openapi_route(issuer: Issuer, described: Iterable[Route]) -> Route:
    path = issuer.identifier.path + OPENAPI_DOCUMENT
    operations = {route.path: route.endpoint.operation for route in described} | {path: OPENAPI}
    document = OpenApiEndpoint(issuer.identifier, operations)
    return Route(path, Endpoint(OPENAPI, issuer.identifier.log_name), document.handle)


def _form_handlers(routes: Iterable[Route], log: FilteringBoundLogger, meter: RequestMeter) -> dict[str, FormHandler]:
    """The handlers of form endpoints by path, for requests on the fast path."""
    return {
        route.path: InstrumentedEndpoint[FormRequest, RawResponse](route.endpoint, route.handler, log, meter).handle
        for route in routes
        if route.is_form
    }


def _add_routes(
    router: web.UrlDispatcher, routes: Sequence[Route], log: FilteringBoundLogger, meter: RequestMeter
) -> Direct:
    """Route every method of every path, so that routing errors are rendered like all others.

    Returns the handlers of requests that need no routing: those for exactly the path of an endpoint.
    """
    direct: Direct = {}
    taken: set[str] = set()
    for route in routes:
        if route.path in taken:
            msg = f"two endpoints have the path {route.path!r}: give each issuer a path of its own"
            raise ValueError(msg)
        taken.add(route.path)
        # The default placeholder does not match braces, and a client id may contain them.
        resource = router.add_resource(route.path.replace("}", ":[^/]+}"))
        handler = InstrumentedEndpoint(route.endpoint, route.handler, log, meter).handle
        for method in route.endpoint.operation.methods:
            resource.add_route(method, handler, expect_handler=_continue)
            if "{" not in route.path:
                direct[method, route.path] = handler
        refuse: Handler = InstrumentedEndpoint(route.endpoint, _refuse_method, log, meter).handle
        resource.add_route(hdrs.METH_ANY, refuse, expect_handler=_continue)
    unknown = Endpoint(Operation(name="none", methods=(), summary="", tag="", responses=()))
    any_target = _AnyTarget("/")
    not_found: Handler = InstrumentedEndpoint(unknown, _refuse_path, log, meter).handle
    any_target.add_route(hdrs.METH_ANY, not_found, expect_handler=_continue)
    router.register_resource(any_target)
    return direct


class _AnyTarget(web.PlainResource):
    """Match any request target, including `*` and the authority of a CONNECT. Registered last."""

    async def resolve(self, request: web.Request) -> tuple[web.UrlMappingMatchInfo, set[str]]:  # noqa: ARG002
        (route,) = self
        return web.UrlMappingMatchInfo({}, route), {hdrs.METH_ANY}


async def _refuse_method(_request: web.Request) -> web.StreamResponse:
    raise RequestError(METHOD_NOT_ALLOWED)


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
