"""The token endpoint (RFC 6749 §3.2), with the client credentials grant (§4.4)."""

import msgspec

from api.http.errors import UNSUPPORTED_GRANT_TYPE, RequestError
from api.http.oauth.endpoint import ClientEndpoint, required
from api.http.raw_response import RawResponse
from api.http.request_context import FormRequest
from api.http.responses import encode_json, json_response
from ledger.domain.grant import CLIENT_CREDENTIALS
from ledger.domain.scope import format_scope, parse_scope

GRANT_TYPES = (CLIENT_CREDENTIALS,)


class TokenResponse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 6749 §5.1. `scope` is left out when the token has none, `expires_in` is whole seconds."""

    access_token: str
    scope: str = ""
    token_type: str
    expires_in: int


class TokenEndpoint(ClientEndpoint):
    """Issues access tokens."""

    async def handle(self, request: FormRequest) -> RawResponse:
        """Answer an access token request (RFC 6749 §4.4.2) once the token is recorded."""
        form, client = await self._read(request)
        if required(form, "grant_type") not in GRANT_TYPES:
            raise RequestError(UNSUPPORTED_GRANT_TYPE, f"The grant types supported here: {', '.join(GRANT_TYPES)}.")
        asked = form.get("scope")
        issued = await self._issuer.issuance.issue_token(
            client, parse_scope(asked) if asked else None, self._cause(request, client)
        )
        answer = TokenResponse(
            access_token=issued.access_token,
            scope=format_scope(issued.scope),
            token_type="Bearer",  # noqa: S106 (RFC 6750, not a secret)
            expires_in=issued.expires_in,
        )
        return json_response(encode_json(answer), position=issued.position)
