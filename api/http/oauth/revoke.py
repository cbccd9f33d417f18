"""The revocation endpoint (RFC 7009)."""

from api.http.oauth.endpoint import ClientEndpoint, required
from api.http.raw_response import RawResponse
from api.http.request_context import FormRequest
from api.http.responses import empty_response


class RevocationEndpoint(ClientEndpoint):
    """Revokes tokens for the clients they were issued to."""

    async def handle(self, request: FormRequest) -> RawResponse:
        """Answer a revocation request (RFC 7009 §2.1) once every later introspection will see it.

        200 also when there was nothing to revoke (§2.2). `token_type_hint` is ignored: one look-up finds any kind.
        """
        form, client = await self._read(request)
        token = required(form, "token")
        position = await self._issuer.revocation.revoke_token(client, token, self._cause(request, client))
        return empty_response(position=position)
