"""The HTTP application: which endpoint is where."""

from collections.abc import Iterator

import structlog
from aiohttp import HttpVersion11, hdrs, web

from api.errors import METHOD_NOT_ALLOWED, NOT_FOUND, RequestError
from api.health import HealthEndpoints
from api.http_server import DIRECT, Direct
from api.oauth import metadata
from api.oauth.endpoint import LONGEST_BODY
from api.oauth.introspect import IntrospectionEndpoint
from api.oauth.revoke import RevocationEndpoint
from api.oauth.token import TokenEndpoint
from api.served import Endpoint, Handler, Served
from api.service import RunningService
from ledger.issuer import Issuer

SERVICE = web.AppKey("SERVICE", RunningService)

READ = (hdrs.METH_GET, hdrs.METH_HEAD)
SEND = (hdrs.METH_POST,)

Placed = tuple[str, Handler, Endpoint]
"""A path, what answers there, and what it is."""


def create_app(service: RunningService, *, behind_proxy: bool = False) -> web.Application:
    """The application over a service, which it closes when it is cleaned up.

    `behind_proxy` believes the last entry of X-Forwarded-For: set it only where a proxy of one's own always adds one.
    Logging is to be configured before this. Raises ValueError when two endpoints would share a path.
    """
    placed = list(_health(service))
    for issuer in service.issuers:
        placed.extend(_of_issuer(issuer, behind_proxy=behind_proxy))
    app = web.Application(client_max_size=LONGEST_BODY)
    app[SERVICE] = service
    app[DIRECT] = _route(app.router, placed)
    app.on_cleanup.append(_close_service)
    return app


def _health(service: RunningService) -> Iterator[Placed]:
    health = HealthEndpoints(service)
    yield "/livez", health.live, Endpoint("livez", READ, quiet=True)
    yield "/readyz", health.ready, Endpoint("readyz", READ, quiet=True)


def _of_issuer(issuer: Issuer, *, behind_proxy: bool) -> Iterator[Placed]:
    identifier = issuer.identifier
    path, name, challenge = identifier.path, identifier.log_name, _challenge(identifier.url)
    for place, label, handler in (
        (metadata.TOKEN, "token", TokenEndpoint(issuer, behind_proxy=behind_proxy).handle),
        (metadata.INTROSPECT, "introspect", IntrospectionEndpoint(issuer, behind_proxy=behind_proxy).handle),
        (metadata.REVOKE, "revoke", RevocationEndpoint(issuer, behind_proxy=behind_proxy).handle),
    ):
        yield path + place, handler, Endpoint(label, SEND, name, challenge)
    described = metadata.MetadataEndpoint(identifier)
    for place in metadata.well_known_paths(identifier):
        yield place, described.handle, Endpoint("metadata", READ, name)


def _route(router: web.UrlDispatcher, placed: list[Placed]) -> Direct:
    """Every method of every path is routed, so that errors of routing are answered as all others are.

    Returns what answers requests that need no routing: those for exactly the path of an endpoint.
    """
    direct: Direct = {}
    log = structlog.get_logger().bind()
    taken: set[str] = set()
    for path, handler, endpoint in placed:
        if path in taken:
            msg = f"two endpoints would be at {path!r}: give each issuer a path of its own"
            raise ValueError(msg)
        taken.add(path)
        resource = router.add_resource(path)
        served = Served(endpoint, handler, log).handle
        for method in endpoint.methods:
            resource.add_route(method, served, expect_handler=_expect)
            direct[method, path] = served
        refused = Served(endpoint, _refuse_method, log)
        resource.add_route(hdrs.METH_ANY, refused.handle, expect_handler=_expect)
    unknown = Served(Endpoint("none"), _refuse_path, log)
    everywhere = _EveryPath("/")
    everywhere.add_route(hdrs.METH_ANY, unknown.handle, expect_handler=_expect)
    router.register_resource(everywhere)
    return direct


class _EveryPath(web.PlainResource):
    """Any target of a request, also what is no path: `*`, or the authority of a CONNECT. Asked after all others."""

    async def resolve(self, request: web.Request) -> tuple[web.UrlMappingMatchInfo, set[str]]:  # noqa: ARG002
        (route,) = self
        return web.UrlMappingMatchInfo({}, route), {hdrs.METH_ANY}


async def _refuse_method(_request: web.Request) -> web.StreamResponse:
    raise RequestError(METHOD_NOT_ALLOWED)


async def _refuse_path(_request: web.Request) -> web.StreamResponse:
    raise RequestError(NOT_FOUND)


def _challenge(realm: str) -> str:
    """RFC 7617 §2; the realm is a quoted-string (RFC 9110 §5.6.4)."""
    quoted = realm.replace("\\", "\\\\").replace('"', '\\"')
    return f'Basic realm="{quoted}"'


async def _expect(request: web.Request) -> None:
    """Ask for the body where the client waits to be asked (RFC 9110 §10.1.1); any other expectation is ignored."""
    if request.headers[hdrs.EXPECT].lower() == "100-continue" and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # this was not yet the answer


async def _close_service(app: web.Application) -> None:
    await app[SERVICE].close()
