"""Authorization server metadata (RFC 8414): how clients find the endpoints of an issuer."""

import msgspec
from aiohttp import web

from api.http.oauth.endpoints import GRANT_TYPES, METHODS
from api.http.operation import READ, Operation, ResponseSpec
from api.http.responses import PUBLIC_HEADERS, RawResponse, encode_json
from ledger.use_cases.issuer import IssuerIdentifier

WELL_KNOWN = "/.well-known/oauth-authorization-server"
TOKEN = "/oauth2/token"  # noqa: S105 (a path, not a secret)
INTROSPECT = "/oauth2/introspect"
REVOKE = "/oauth2/revoke"


class ServerMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 8414 §2. There is no authorization endpoint, so no response type is supported."""

    issuer: str
    token_endpoint: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = METHODS
    introspection_endpoint: str
    introspection_endpoint_auth_methods_supported: tuple[str, ...] = METHODS
    revocation_endpoint: str
    revocation_endpoint_auth_methods_supported: tuple[str, ...] = METHODS
    grant_types_supported: tuple[str, ...] = GRANT_TYPES
    response_types_supported: tuple[str, ...] = ()


def well_known_paths(identifier: IssuerIdentifier) -> tuple[str, ...]:
    """The paths of the metadata: as in RFC 8414 §3.1, and with the suffix last, as many clients expect."""
    return tuple(dict.fromkeys((f"{WELL_KNOWN}{identifier.path}", f"{identifier.path}{WELL_KNOWN}")))


class MetadataEndpoint:
    """Serves the metadata of one issuer (RFC 8414 §3)."""

    OPERATION = Operation(
        name="metadata",
        methods=READ,
        tag="discovery",
        summary="Authorization server metadata (RFC 8414)",
        responses=(ResponseSpec(description="The metadata.", models=(ServerMetadata,)),),
    )

    def __init__(self, identifier: IssuerIdentifier) -> None:
        metadata = ServerMetadata(
            issuer=identifier.url,
            token_endpoint=identifier.url + TOKEN,
            introspection_endpoint=identifier.url + INTROSPECT,
            revocation_endpoint=identifier.url + REVOKE,
        )
        self._body = encode_json(metadata)

    async def handle(self, _request: web.Request) -> web.StreamResponse:
        """Return the metadata document."""
        return RawResponse(PUBLIC_HEADERS, self._body)
