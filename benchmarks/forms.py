"""Where the issuer of the demo answers, and what its clients send there."""

from collections.abc import Mapping
from urllib.parse import urlencode

from benchmarks.contenders.contender import FormRequest
from benchmarks.load.request import Request, posted
from benchmarks.processes import PATH, Server

TOKEN, INTROSPECT, REVOKE = (f"{PATH}/oauth2/{name}" for name in ("token", "introspect", "revoke"))

CLIENT = {"client_id": "user-client-opaque", "client_secret": "user-client-secret"}
RESOURCE_SERVER = {"client_id": "service-client-jwt", "client_secret": "service-client-jwt-secret"}
ISSUE = {"grant_type": "client_credentials", **CLIENT, "scope": "country.read customer.read customer.write"}


def issuance(server: Server) -> Request:
    """A token for CLIENT."""
    return form(server, TOKEN, ISSUE)


def form(server: Server, path: str, fields: Mapping[str, str]) -> Request:
    """A form for one of these paths."""
    return posted(FormRequest(server.url(path), urlencode(fields)))
