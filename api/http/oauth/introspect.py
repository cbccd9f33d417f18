"""The introspection endpoint (RFC 7662). It reads; nothing is recorded, whoever asks."""

from typing import Literal
from uuid import UUID

import msgspec
from aiohttp import hdrs

from api.http.errors import INTROSPECTION_FORBIDDEN, RequestError
from api.http.oauth.credentials import read_credentials
from api.http.oauth.endpoint import ClientEndpoint, missing, read_form
from api.http.raw_response import RawResponse
from api.http.request_context import REQUEST_CONTEXT, FormRequest
from api.http.responses import encode_json, json_response
from ledger.domain.errors import UnauthorizedClient

TOKEN = "token"  # noqa: S105 (the name of the parameter)
INACTIVE = b'{"active":false}'
"""The one answer for a token that is unknown, expired, revoked, or not the caller's to see (RFC 7662 §2.2)."""


class ActiveTokenResponse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 7662 §2.2. Times are whole seconds since 1970; `scope` is left out when the token has none."""

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
    """The shape of `INACTIVE`."""

    active: Literal[False]


class IntrospectionEndpoint(ClientEndpoint):
    """Says whether a token is active, and what it stands for."""

    async def handle(self, request: FormRequest) -> RawResponse:
        """Answer an introspection request (RFC 7662 §2.1). `token_type_hint` is ignored: one look-up finds any kind."""
        form = await read_form(request)
        token = form.get(TOKEN)
        if not token:
            await self._authenticate(request, form)
            raise missing(TOKEN)
        client_id, secret = read_credentials(request.headers.getall(hdrs.AUTHORIZATION, ()), form)
        try:
            found = await self._issuer.introspection.introspect(client_id, secret, token)
        except UnauthorizedClient as error:
            request[REQUEST_CONTEXT].client_id = client_id
            raise RequestError(INTROSPECTION_FORBIDDEN, str(error)) from error
        request[REQUEST_CONTEXT].client_id = client_id
        if found is None:
            return json_response(INACTIVE)
        answer = ActiveTokenResponse(
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
        return json_response(encode_json(answer))
