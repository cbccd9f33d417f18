"""The HTTP application: which endpoint is where."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import structlog
from aiohttp import HttpVersion11, hdrs, web

from api.http.audit.endpoints import audit_endpoints
from api.http.audit.problems import problem_renderer
from api.http.audit.streaming import OpenStreams
from api.http.direct import FORMS
from api.http.errors import METHOD_NOT_ALLOWED, NOT_FOUND, RequestError
from api.http.health import LIVEZ, READYZ, HealthEndpoints
from api.http.http_server import DIRECT, Direct
from api.http.instrumented_endpoint import Endpoint, FormHandler, Handler, InstrumentedEndpoint
from api.http.metrics.endpoint import METRICS, MetricsEndpoint
from api.http.oauth import metadata, operations
from api.http.oauth.endpoint import MAX_BODY_BYTES
from api.http.oauth.introspect import IntrospectionEndpoint
from api.http.oauth.revoke import RevocationEndpoint
from api.http.oauth.token import TokenEndpoint
from api.http.openapi.document import OPENAPI, PLACE, OpenApiEndpoint
from api.http.operation import Operation
from api.service.counts import RequestMeter
from api.service.running_service import RunningService
from ledger.use_cases.issuer import Issuer

SERVICE = web.AppKey("SERVICE", RunningService)

Route = tuple[str, Operation, Handler, Endpoint]
"""A path, what is there, what answers, and how it is served."""

FormRoute = tuple[str, Operation, FormHandler, Endpoint]
"""The same, of an endpoint for forms."""


def create_app(
    service: RunningService,
    *,
    behind_proxy: bool = False,
    metrics: bool = True,
    worker_socket_dir: Path | None = None,
    issuers: Sequence[Issuer] | None = None,
) -> web.Application:
    """The application over a service, which it closes when it is cleaned up.

    `behind_proxy` believes the last entry of X-Forwarded-For: set it only where a proxy of one's own always adds one.
    `metrics` shows everybody who asks how the service does; `worker_socket_dir` is where its processes find each other.
    `issuers` are those with endpoints here; by default all are. Logging is to be configured before this. Raises
    ValueError when two endpoints would share a path.
    """
    open_streams = OpenStreams()
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    meter = RequestMeter()
    of_service = list(_health(service, with_projections=metrics))
    if metrics:
        of_service.append(_metrics(app, MetricsEndpoint(service, meter, worker_socket_dir)))
    placed = [*of_service]
    app[FORMS] = {}
    for issuer in service.issuers if issuers is None else issuers:
        forms = list(_forms_of(issuer, behind_proxy=behind_proxy))
        app[FORMS].update(_served(forms, meter))
        of_issuer = [*forms, *_metadata_of(issuer), *_of_audit(issuer, open_streams)]
        placed.extend([*of_issuer, _openapi(issuer, [*of_service, *of_issuer])])
    app[SERVICE] = service
    app[DIRECT] = _route(app.router, placed, meter)
    app.on_shutdown.append(open_streams.end_all)
    app.on_cleanup.append(_close_service)
    return app


def _metrics(app: web.Application, endpoint: MetricsEndpoint) -> Route:
    app.on_startup.append(endpoint.start)
    app.on_cleanup.append(endpoint.stop)
    return "/metrics", METRICS, endpoint.handle, Endpoint(METRICS.name, METRICS.methods, quiet=True)


def _health(service: RunningService, *, with_projections: bool) -> Iterator[Route]:
    health = HealthEndpoints(service, with_projections=with_projections)
    for path, operation, handler in (("/livez", LIVEZ, health.live), ("/readyz", READYZ, health.ready)):
        yield path, operation, handler, Endpoint(operation.name, operation.methods, quiet=True)


def _forms_of(issuer: Issuer, *, behind_proxy: bool) -> Iterator[FormRoute]:
    identifier = issuer.identifier
    path, name, challenge = identifier.path, identifier.log_name, f"Basic realm={_realm(identifier.url)}"
    for place, operation, kind in (
        (metadata.TOKEN, operations.ISSUE, TokenEndpoint),
        (metadata.INTROSPECT, operations.INTROSPECT, IntrospectionEndpoint),
        (metadata.REVOKE, operations.REVOKE, RevocationEndpoint),
    ):
        handler = kind(issuer, behind_proxy=behind_proxy).handle
        yield path + place, operation, handler, Endpoint(operation.name, operation.methods, name, challenge)


def _metadata_of(issuer: Issuer) -> Iterator[Route]:
    identifier = issuer.identifier
    described, operation = metadata.MetadataEndpoint(identifier), operations.METADATA
    for place in metadata.well_known_paths(identifier):
        yield place, operation, described.handle, Endpoint(operation.name, operation.methods, identifier.log_name)


def _of_audit(issuer: Issuer, open_streams: OpenStreams) -> Iterator[Route]:
    identifier = issuer.identifier
    failed = problem_renderer(_realm(identifier.url))
    for place, audited in audit_endpoints(issuer, open_streams):
        operation = audited.OPERATION
        endpoint = Endpoint(operation.name, operation.methods, identifier.log_name, failed=failed)
        yield identifier.path + place, operation, audited.handle, endpoint


def _openapi(issuer: Issuer, described: Iterable[Route]) -> Route:
    identifier = issuer.identifier
    path = identifier.path + PLACE
    operations_by_path = {path: operation for path, operation, *_ in described} | {path: OPENAPI}
    endpoint = Endpoint(OPENAPI.name, OPENAPI.methods, identifier.log_name)
    return path, OPENAPI, OpenApiEndpoint(identifier, operations_by_path).handle, endpoint


def _served(forms: Iterable[FormRoute], meter: RequestMeter) -> Iterator[tuple[str, FormHandler]]:
    """What answers a form that is posted to exactly the path of an endpoint."""
    log = structlog.get_logger().bind()
    for path, _, handler, endpoint in forms:
        yield path, InstrumentedEndpoint(endpoint, handler, log, meter.of(endpoint.name, endpoint.issuer)).handle


def _route(router: web.UrlDispatcher, placed: Sequence[Route], meter: RequestMeter) -> Direct:
    """Every method of every path is routed, so that errors of routing are answered as all others are.

    Returns what answers requests that need no routing: those for exactly the path of an endpoint.
    """
    direct: Direct = {}
    log = structlog.get_logger().bind()
    taken: set[str] = set()
    for path, _, handler, endpoint in placed:
        if path in taken:
            msg = f"two endpoints would be at {path!r}: give each issuer a path of its own"
            raise ValueError(msg)
        taken.add(path)
        # The router's own placeholder takes no braces, and a client id may have some.
        resource = router.add_resource(path.replace("}", ":[^/]+}"))
        counts = meter.of(endpoint.name, endpoint.issuer)
        served = InstrumentedEndpoint(endpoint, handler, log, counts).handle
        for method in endpoint.methods:
            resource.add_route(method, served, expect_handler=_expect)
            if "{" not in path:
                direct[method, path] = served
        refused = InstrumentedEndpoint(endpoint, _refuse_method, log, counts)
        resource.add_route(hdrs.METH_ANY, refused.handle, expect_handler=_expect)
    unknown = InstrumentedEndpoint(Endpoint("none"), _refuse_path, log, meter.of("none", None))
    everywhere = _EveryPath("/")
    everywhere.add_route(hdrs.METH_ANY, unknown.handle, expect_handler=_expect)
    router.register_resource(everywhere)
    return direct


class _EveryPath(web.PlainResource):
    """Match any request target, including `*` and the authority of a CONNECT. Registered last."""

    async def resolve(self, request: web.Request) -> tuple[web.UrlMappingMatchInfo, set[str]]:  # noqa: ARG002
        (route,) = self
        return web.UrlMappingMatchInfo({}, route), {hdrs.METH_ANY}


async def _refuse_method(_request: web.Request) -> web.StreamResponse:
    raise RequestError(METHOD_NOT_ALLOWED)


async def _refuse_path(_request: web.Request) -> web.StreamResponse:
    raise RequestError(NOT_FOUND)


def _realm(realm: str) -> str:
    """The realm of a challenge as a quoted-string (RFC 9110 §5.6.4)."""
    quoted = realm.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'


async def _expect(request: web.Request) -> None:
    """Ask for the body where the client waits to be asked (RFC 9110 §10.1.1); any other expectation is ignored."""
    if request.headers[hdrs.EXPECT].lower() == "100-continue" and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # this was not yet the answer


async def _close_service(app: web.Application) -> None:
    await app[SERVICE].close()
