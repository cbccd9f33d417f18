"""The token endpoint (RFC 6749 §3.2), with the client credentials grant (§4.4)."""

import msgspec

from api.http.errors import INVALID_SCOPE, UNAUTHORIZED_CLIENT, UNSUPPORTED_GRANT_TYPE, RequestError
from api.http.form import require_parameter
from api.http.oauth.client_endpoint import ClientEndpoint
from api.http.operation import SEND, Operation, ResponseSpec
from api.http.parameters import form_parameter
from api.http.request_context import FormRequest
from api.http.responses import POSITION_HEADER, RawResponse, encode_json, json_response
from ledger.domain.grant import CLIENT_CREDENTIALS
from ledger.domain.scope import format_scope, parse_scope

GRANT_TYPES = (CLIENT_CREDENTIALS,)


class TokenResponse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 6749 §5.1. `scope` is omitted for a token without scope; `expires_in` is in whole seconds."""

    access_token: str
    scope: str = ""
    token_type: str
    expires_in: int


class TokenEndpoint(ClientEndpoint):
    """Issues access tokens."""

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
