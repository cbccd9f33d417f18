"""The token, introspection and revocation endpoints: each takes a form from a client that authenticates."""

import binascii
import re
from collections.abc import Sequence
from typing import Literal
from uuid import UUID

import msgspec
from aiohttp import hdrs

from api.http.errors import (
    INTROSPECTION_FORBIDDEN,
    INVALID_CLIENT,
    INVALID_REQUEST,
    INVALID_SCOPE,
    UNAUTHORIZED_CLIENT,
    UNSUPPORTED_GRANT_TYPE,
    RequestError,
)
from api.http.form import Form, decode_component, missing_parameter, read_form, require_parameter
from api.http.instrumented_endpoint import ErrorRenderer
from api.http.operation import SEND, TOKEN_IN_FORM, TOKEN_TYPE_HINT, Operation, ResponseSpec, form_parameter
from api.http.request_context import REQUEST_CONTEXT, FormRequest
from api.http.responses import (
    EMPTY_HEADERS,
    POSITION_HEADER,
    RawResponse,
    encode_json,
    json_response,
    render_oauth_error,
)
from ledger.domain.client import Client
from ledger.domain.errors import UnauthorizedClient
from ledger.domain.grant import CLIENT_CREDENTIALS
from ledger.domain.recording import Cause
from ledger.domain.scope import format_scope, parse_scope
from ledger.use_cases.issuer import Issuer

METHODS = ("client_secret_basic", "client_secret_post")
GRANT_TYPES = (CLIENT_CREDENTIALS,)
FORWARDED_FOR = "X-Forwarded-For"

INACTIVE = b'{"active":false}'
"""The response for a token that is unknown, expired, revoked, or not visible to the caller (RFC 7662 §2.2)."""

_ADDRESS = re.compile(r"[0-9A-Fa-f.:\[\]]{2,64}")
_NOT_AUTHENTICATED = f"Client authentication is required, by {' or '.join(METHODS)}."
_TWO_METHODS = "The request uses two client authentication methods; only one is allowed (RFC 6749 2.3)."


class TokenResponse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 6749 §5.1. `scope` is omitted for a token without scope; `expires_in` is in whole seconds."""

    access_token: str
    scope: str = ""
    token_type: str
    expires_in: int


class ActiveTokenResponse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 7662 §2.2. Times are whole seconds since 1970; `scope` is omitted for a token without scope."""

    active: Literal[True]
    sub: str
    aud: tuple[str, ...]
    nbf: int
    scope: str = ""
    iss: str
    exp: int
    iat: int
    jti: UUID
    client_id: str
    token_type: str


class InactiveTokenResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The schema of `INACTIVE`."""

    active: Literal[False]


class ClientEndpoint:
    """An endpoint of one issuer that takes forms from its clients.

    Requests are checked in this order, and the first problem determines the response: media type, size, form (RFC 6749
    §3.2), client authentication (§2.3), then the endpoint's own parameters. Query strings are never read.
    """

    def __init__(self, issuer: Issuer, *, behind_proxy: bool) -> None:
        self._issuer = issuer
        self._behind_proxy = behind_proxy

    async def _read(self, request: FormRequest) -> tuple[Form, Client]:
        """Return the form and the authenticated client. Raises RequestError, InvalidClient or Unavailable."""
        form = await read_form(request)
        return form, await self._authenticate(request, form)

    async def _authenticate(self, request: FormRequest, form: Form) -> Client:
        """Authenticate the client. Raises RequestError, InvalidClient or Unavailable."""
        client_id, secret = read_credentials(request.headers.getall(hdrs.AUTHORIZATION, ()), form)
        client = await self._issuer.authentication.authenticate(client_id, secret)
        request[REQUEST_CONTEXT].client_id = client.client_id
        return client

    def _cause(self, request: FormRequest, client: Client) -> Cause:
        """The cause recorded with the events of this request."""
        return Cause(
            actor=f"client:{client.client_id}",
            request_id=request[REQUEST_CONTEXT].request_id,
            remote_address=(self._behind_proxy and _read_forwarded_address(request)) or request.remote or None,
        )


class TokenEndpoint(ClientEndpoint):
    """Issues access tokens (RFC 6749 §3.2), with the client credentials grant (§4.4)."""

    OPERATION = Operation(
        name="token",
        methods=SEND,
        tag="oauth2",
        summary="Issue an access token (RFC 6749 §3.2)",
        security="client",
        parameters=(
            form_parameter("grant_type", "The grant type.", required=True, enum=list(GRANT_TYPES)),
            form_parameter("scope", "Scope tokens, separated by spaces. Default: the client's default scopes."),
        ),
        responses=(
            ResponseSpec(
                description="The token is recorded and active.",
                models=(TokenResponse,),
                example={"access_token": "…", "scope": "read", "token_type": "Bearer", "expires_in": 3600},
                headers=(POSITION_HEADER,),
            ),
        ),
        errors=(UNSUPPORTED_GRANT_TYPE, UNAUTHORIZED_CLIENT, INVALID_SCOPE),
    )

    async def handle(self, request: FormRequest) -> RawResponse:
        """Handle an access token request (RFC 6749 §4.4.2). Responds once the token is recorded."""
        form, client = await self._read(request)
        if require_parameter(form, "grant_type") not in GRANT_TYPES:
            raise RequestError(UNSUPPORTED_GRANT_TYPE, f"Supported grant types: {', '.join(GRANT_TYPES)}.")
        scope = form.get("scope")
        issued = await self._issuer.issuance.issue_token(
            client, parse_scope(scope) if scope else None, self._cause(request, client)
        )
        response = TokenResponse(
            access_token=issued.access_token,
            scope=format_scope(issued.scope),
            token_type="Bearer",  # noqa: S106 (RFC 6750, not a secret)
            expires_in=issued.expires_in,
        )
        return json_response(encode_json(response), position=issued.position)


class IntrospectionEndpoint(ClientEndpoint):
    """Introspects tokens (RFC 7662). It only reads; introspections are not recorded."""

    OPERATION = Operation(
        name="introspect",
        methods=SEND,
        tag="oauth2",
        summary="Introspect a token (RFC 7662)",
        security="client",
        parameters=(TOKEN_IN_FORM, TOKEN_TYPE_HINT),
        responses=(
            ResponseSpec(
                description="The claims of an active token, or that the token is not active.",
                models=(ActiveTokenResponse, InactiveTokenResponse),
                example={"active": False},
            ),
        ),
        errors=(INTROSPECTION_FORBIDDEN,),
    )

    async def handle(self, request: FormRequest) -> RawResponse:
        """Handle an introspection request (RFC 7662 §2.1). `token_type_hint` is ignored: one lookup finds any type."""
        form = await read_form(request)
        token = form.get("token")
        if not token:
            await self._authenticate(request, form)
            raise missing_parameter(TOKEN_IN_FORM.name)
        client_id, secret = read_credentials(request.headers.getall(hdrs.AUTHORIZATION, ()), form)
        try:
            found = await self._issuer.introspection.introspect(client_id, secret, token)
        except UnauthorizedClient as error:
            request[REQUEST_CONTEXT].client_id = client_id
            raise RequestError(INTROSPECTION_FORBIDDEN, str(error)) from error
        request[REQUEST_CONTEXT].client_id = client_id
        if found is None:
            return json_response(INACTIVE)
        response = ActiveTokenResponse(
            active=True,
            sub=found.subject,
            aud=found.audience,
            nbf=found.issued_at,
            scope=found.scope,
            iss=self._issuer.identifier.url,
            exp=found.expires_at,
            iat=found.issued_at,
            jti=found.jti,
            client_id=found.client_id,
            token_type="Bearer",  # noqa: S106 (RFC 6750, not a secret)
        )
        return json_response(encode_json(response))


class RevocationEndpoint(ClientEndpoint):
    """Revokes tokens for the clients they were issued to (RFC 7009)."""

    OPERATION = Operation(
        name="revoke",
        methods=SEND,
        tag="oauth2",
        summary="Revoke a token (RFC 7009)",
        security="client",
        parameters=(TOKEN_IN_FORM, TOKEN_TYPE_HINT),
        responses=(
            ResponseSpec(
                description="The token is revoked, or there was nothing to revoke.", headers=(POSITION_HEADER,)
            ),
        ),
        errors=(UNAUTHORIZED_CLIENT,),
    )

    async def handle(self, request: FormRequest) -> RawResponse:
        """Handle a revocation request (RFC 7009 §2.1). Responds once every later introspection sees the revocation.

        Responds 200 even when there was nothing to revoke (§2.2). `token_type_hint` is ignored.
        """
        form, client = await self._read(request)
        token = require_parameter(form, "token")
        position = await self._issuer.revocation.revoke_token(client, token, self._cause(request, client))
        return RawResponse(EMPTY_HEADERS, position=position)


def client_error_renderer(realm: str) -> ErrorRenderer:
    """Render OAuth errors; invalid_client gets a Basic challenge. `realm` is a quoted-string."""

    def render(error: RequestError, request_id: str) -> RawResponse:
        response = render_oauth_error(error, request_id)
        if error.kind is INVALID_CLIENT:
            response.headers[hdrs.WWW_AUTHENTICATE] = f"Basic realm={realm}"
        return response

    return render


def read_credentials(authorization: Sequence[str], form: Form) -> tuple[str, str]:
    """Read the claimed client id and secret from the Authorization header or from the body.

    Raises RequestError: 400 for a malformed header or two methods at once (RFC 6749 §2.3: a client MUST NOT use more
    than one), 401 without authentication or with an unsupported method.
    """
    form_secret = form.get("client_secret")
    assertion = form.get("client_assertion")
    if not authorization:
        if form_secret and assertion:
            raise RequestError(INVALID_REQUEST, _TWO_METHODS)
        client_id = form.get("client_id")
        if client_id and form_secret:
            return client_id, form_secret
        raise RequestError(INVALID_CLIENT, _NOT_AUTHENTICATED)
    if len(authorization) > 1:
        raise RequestError(INVALID_REQUEST, "The Authorization header is repeated.")
    if form_secret or assertion:
        raise RequestError(INVALID_REQUEST, _TWO_METHODS)
    scheme, _, encoded = authorization[0].partition(" ")
    if scheme.lower() != "basic":
        raise RequestError(INVALID_CLIENT, _NOT_AUTHENTICATED)
    client_id, secret = _decode_basic(encoded.strip(" "))
    if form.get("client_id", "") not in {"", client_id}:
        raise RequestError(INVALID_REQUEST, "The client_id in the body differs from the one in the header.")
    return client_id, secret


def _decode_basic(encoded: str) -> tuple[str, str]:
    """Decode RFC 7617 §2 credentials; id and secret are each form-encoded (RFC 6749 §2.3.1)."""
    try:
        user_pass = binascii.a2b_base64(encoded.encode("ascii"), strict_mode=True)
        client_id, colon, secret = user_pass.partition(b":")
        if client_id and colon:
            return decode_component(client_id), decode_component(secret)
    except (UnicodeEncodeError, binascii.Error, RequestError):
        pass
    raise RequestError(INVALID_REQUEST, "The Authorization header is malformed (RFC 6749 2.3.1).")


def _read_forwarded_address(request: FormRequest) -> str | None:
    """Read the last entry of X-Forwarded-For, which the nearest proxy added; the caller controls all others."""
    forwarded = request.headers.getall(FORWARDED_FOR, ())
    nearest = forwarded[-1].rpartition(",")[2].strip() if forwarded else ""
    return nearest if _ADDRESS.fullmatch(nearest) else None
