"""What the token, introspection and revocation endpoints have in common: a form, sent by an authenticated client."""

from aiohttp import hdrs, web

from api.http.errors import CONTENT_TOO_LARGE, INVALID_REQUEST, UNSUPPORTED_MEDIA_TYPE, RequestError
from api.http.form import Form, check_media_type, parse_form
from api.http.oauth.credentials import read_credentials
from api.http.request_context import REQUEST_CONTEXT, FormRequest, cause_of
from ledger.domain.client import Client
from ledger.domain.recording import Cause
from ledger.use_cases.issuer import Issuer

MAX_BODY_BYTES = 64 * 1024
"""In bytes, after any Content-Encoding is undone."""


class ClientEndpoint:
    """An endpoint of one issuer that takes forms from its clients.

    A request is read in this order, and the first thing wrong with it is what is answered: media type, size, form
    (RFC 6749 §3.2), client authentication (§2.3), then the parameters of the endpoint. Query strings are never read.
    """

    def __init__(self, issuer: Issuer, *, behind_proxy: bool) -> None:
        self._issuer = issuer
        self._behind_proxy = behind_proxy

    async def _read(self, request: FormRequest) -> tuple[Form, Client]:
        """The form and the client who sent it. Raises RequestError, InvalidClient or Unavailable."""
        form = await read_form(request)
        return form, await self._authenticate(request, form)

    async def _authenticate(self, request: FormRequest, form: Form) -> Client:
        """The client who sent a form. Raises RequestError, InvalidClient or Unavailable."""
        client_id, secret = read_credentials(request.headers.getall(hdrs.AUTHORIZATION, ()), form)
        client = await self._issuer.authentication.authenticate(client_id, secret)
        request[REQUEST_CONTEXT].client_id = client.client_id
        return client

    def _cause(self, request: FormRequest, client: Client) -> Cause:
        return cause_of(request, client, behind_proxy=self._behind_proxy)


async def read_form(request: FormRequest) -> Form:
    """The parameters of a request's body. Raises RequestError."""
    content_type = request.headers.get(hdrs.CONTENT_TYPE)
    if content_type is not None:
        check_media_type(content_type)
    announced = request.content_length
    if announced is not None and announced > MAX_BODY_BYTES:
        raise RequestError(CONTENT_TOO_LARGE)
    try:
        body = await request.read()
    except (web.RequestPayloadError, ConnectionError) as error:
        # Broken chunking or compression, or a client that went away: nothing of ours failed.
        raise RequestError(INVALID_REQUEST, "The body of the request cannot be read.") from error
    if content_type is None and body:
        raise RequestError(UNSUPPORTED_MEDIA_TYPE)
    return parse_form(body)


def required(form: Form, name: str) -> str:
    """The value of a parameter that the request must have. Raises RequestError naming it."""
    value = form.get(name)
    if not value:
        raise missing(name)
    return value


def missing(name: str) -> RequestError:
    """What is wrong with a request that lacks a parameter."""
    return RequestError(INVALID_REQUEST, f"The parameter '{name}' is missing or empty.")
