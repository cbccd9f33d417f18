"""The introspection endpoint (RFC 7662). It only reads; introspections are not recorded."""

from typing import Literal
from uuid import UUID

import msgspec
from aiohttp import hdrs

from api.http.errors import INTROSPECTION_FORBIDDEN, RequestError
from api.http.form import missing_parameter, read_form
from api.http.oauth.client_endpoint import ClientEndpoint, read_credentials
from api.http.operation import SEND, Operation, ResponseSpec
from api.http.parameters import TOKEN_IN_FORM, TOKEN_TYPE_HINT
from api.http.request_context import REQUEST_CONTEXT, FormRequest
from api.http.responses import RawResponse, encode_json, json_response
from ledger.domain.errors import UnauthorizedClient

INACTIVE = b'{"active":false}'
"""The response for a token that is unknown, expired, revoked, or not visible to the caller (RFC 7662 §2.2)."""


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


class IntrospectionEndpoint(ClientEndpoint):
    """Introspects tokens."""

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
