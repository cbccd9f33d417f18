"""What the token, introspection and revocation endpoints share: a form, sent by a client that authenticates."""

import binascii
import re
from collections.abc import Sequence

from aiohttp import hdrs

from api.http.errors import INVALID_CLIENT, INVALID_REQUEST, RequestError
from api.http.form import Form, decode_component, read_form
from api.http.instrumented_endpoint import ErrorRenderer
from api.http.request_context import REQUEST_CONTEXT, FormRequest
from api.http.responses import RawResponse, render_oauth_error
from ledger.domain.client import Client
from ledger.domain.recording import Cause
from ledger.use_cases.issuer import Issuer

METHODS = ("client_secret_basic", "client_secret_post")
FORWARDED_FOR = "X-Forwarded-For"

_ADDRESS = re.compile(r"[0-9A-Fa-f.:\[\]]{2,64}")


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


def _read_forwarded_address(request: FormRequest) -> str | None:
    """Read the last entry of X-Forwarded-For, which the nearest proxy added; the caller controls all others."""
    forwarded = request.headers.getall(FORWARDED_FOR, ())
    nearest = forwarded[-1].rpartition(",")[2].strip() if forwarded else ""
    return nearest if _ADDRESS.fullmatch(nearest) else None


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


_NOT_AUTHENTICATED = f"Client authentication is required, by {' or '.join(METHODS)}."
_TWO_METHODS = "The request uses two client authentication methods; only one is allowed (RFC 6749 2.3)."
