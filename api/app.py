"""The HTTP application: which endpoint is where."""

from collections.abc import Iterator

import structlog
from aiohttp import HttpVersion11, hdrs, web

from api.health import HealthEndpoints
from api.middleware import Endpoint, Handler, RequestHandling
from api.oauth import metadata
from api.oauth.endpoint import LONGEST_BODY
from api.oauth.introspect import IntrospectionEndpoint
from api.oauth.revoke import RevocationEndpoint
from api.oauth.token import TokenEndpoint
from api.service import RunningService
from ledger.issuer import Issuer

SERVICE = web.AppKey("SERVICE", RunningService)

Placed = tuple[str, str, Handler, Endpoint]
"""A method, a path, what answers there, and what the log calls it."""


def create_app(service: RunningService, *, behind_proxy: bool = False) -> web.Application:
    """The application over a service, which it closes when it is cleaned up.

    `behind_proxy` believes the last entry of X-Forwarded-For: set it only where a proxy of one's own always adds one.
    Logging is to be configured before this. Raises ValueError when two endpoints would share a path.
    """
    placed = list(_health(service))
    for issuer in service.issuers:
        placed.extend(_of_issuer(issuer, behind_proxy=behind_proxy))
    endpoints = _by_path(placed)
    handling = RequestHandling(endpoints, structlog.get_logger().bind())
    app = web.Application(client_max_size=LONGEST_BODY, middlewares=[handling.handle])
    app[SERVICE] = service
    for method, path, handler, _ in placed:
        resource = app.router.add_resource(path)
        resource.add_route(method, handler, expect_handler=_expect)
        if method == hdrs.METH_GET:
            resource.add_route(hdrs.METH_HEAD, handler, expect_handler=_expect)
    app.on_cleanup.append(_close_service)
    return app


def _health(service: RunningService) -> Iterator[Placed]:
    health = HealthEndpoints(service)
    yield hdrs.METH_GET, "/livez", health.live, Endpoint("livez", quiet=True)
    yield hdrs.METH_GET, "/readyz", health.ready, Endpoint("readyz", quiet=True)


def _of_issuer(issuer: Issuer, *, behind_proxy: bool) -> Iterator[Placed]:
    identifier = issuer.identifier
    path, name, challenge = identifier.path, identifier.log_name, _challenge(identifier.url)
    for place, label, handler in (
        (metadata.TOKEN, "token", TokenEndpoint(issuer, behind_proxy=behind_proxy).handle),
        (metadata.INTROSPECT, "introspect", IntrospectionEndpoint(issuer, behind_proxy=behind_proxy).handle),
        (metadata.REVOKE, "revoke", RevocationEndpoint(issuer, behind_proxy=behind_proxy).handle),
    ):
        yield hdrs.METH_POST, path + place, handler, Endpoint(label, name, challenge)
    described = metadata.MetadataEndpoint(identifier)
    for place in metadata.well_known_paths(identifier):
        yield hdrs.METH_GET, place, described.handle, Endpoint("metadata", name)


def _by_path(placed: list[Placed]) -> dict[str, Endpoint]:
    endpoints: dict[str, Endpoint] = {}
    for _, path, _, endpoint in placed:
        if path in endpoints:
            msg = f"two endpoints would be at {path!r}: give each issuer a path of its own"
            raise ValueError(msg)
        endpoints[path] = endpoint
    return endpoints


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
