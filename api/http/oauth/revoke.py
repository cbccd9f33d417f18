"""The revocation endpoint (RFC 7009)."""

from api.http.errors import UNAUTHORIZED_CLIENT
from api.http.form import require_parameter
from api.http.oauth.client_endpoint import ClientEndpoint
from api.http.operation import SEND, Operation, ResponseSpec
from api.http.parameters import TOKEN_IN_FORM, TOKEN_TYPE_HINT
from api.http.request_context import FormRequest
from api.http.responses import EMPTY_HEADERS, POSITION_HEADER, RawResponse


class RevocationEndpoint(ClientEndpoint):
    """Revokes tokens for the clients they were issued to."""

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
