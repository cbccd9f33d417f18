"""The OAuth 2.0 endpoints, and the metadata, as they are declared."""

from typing import Any

from api.http.errors import (
    INTROSPECTION_FORBIDDEN,
    INVALID_SCOPE,
    UNAUTHORIZED_CLIENT,
    UNSUPPORTED_GRANT_TYPE,
)
from api.http.oauth.introspect import ActiveTokenResponse, InactiveTokenResponse
from api.http.oauth.metadata import ServerMetadata
from api.http.oauth.token import GRANT_TYPES, TokenResponse
from api.http.operation import READ, SEND, Operation, ResponseSpec
from api.http.parameters import Parameter
from api.http.responses import POSITION_HEADER


def _form(name: str, description: str, *, required: bool = False, **schema: Any) -> Parameter[str]:
    return Parameter(name, description, {"type": "string", **schema}, str, location="form", required=required)


_HINT = _form("token_type_hint", "Ignored: one look-up finds any kind of token.")
_TOKEN = _form("token", "An access token.", required=True, minLength=1)

ISSUE = Operation(
    name="token",
    methods=SEND,
    tag="oauth2",
    summary="Issue an access token (RFC 6749 §3.2)",
    security="client",
    parameters=(
        _form("grant_type", "The grant.", required=True, enum=list(GRANT_TYPES)),
        _form("scope", "Scope tokens, separated by spaces. Left out: the default scopes of the client."),
    ),
    responses=(
        ResponseSpec(
            description="The token is recorded, and introspection shows it.",
            models=(TokenResponse,),
            example={"access_token": "…", "scope": "read", "token_type": "Bearer", "expires_in": 3600},
            headers=(POSITION_HEADER,),
        ),
    ),
    errors=(UNSUPPORTED_GRANT_TYPE, UNAUTHORIZED_CLIENT, INVALID_SCOPE),
)
INTROSPECT = Operation(
    name="introspect",
    methods=SEND,
    tag="oauth2",
    summary="Say whether a token is active (RFC 7662)",
    security="client",
    parameters=(_TOKEN, _HINT),
    responses=(
        ResponseSpec(
            description="What an active token stands for, or that it is not active.",
            models=(ActiveTokenResponse, InactiveTokenResponse),
            example={"active": False},
        ),
    ),
    errors=(INTROSPECTION_FORBIDDEN,),
)
REVOKE = Operation(
    name="revoke",
    methods=SEND,
    tag="oauth2",
    summary="Revoke a token (RFC 7009)",
    security="client",
    parameters=(_TOKEN, _HINT),
    responses=(ResponseSpec(description="It is revoked, or there was nothing to revoke.", headers=(POSITION_HEADER,)),),
    errors=(UNAUTHORIZED_CLIENT,),
)
METADATA = Operation(
    name="metadata",
    methods=READ,
    tag="discovery",
    summary="Authorization server metadata (RFC 8414)",
    responses=(ResponseSpec(description="The metadata.", models=(ServerMetadata,)),),
)
