"""The connection of the audit commands to a service: access token, requests and errors.

Errors have the same exit codes as over the database. Messages quote problem details (RFC 9457) and OAuth errors
(RFC 6749 §5.2), and no other body.
"""

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct
from pydantic import SecretStr
from yarl import URL

from api.cli.audit.credentials import CLIENT_ID, TOKEN, Credentials
from api.operations.errors import OperationError, UsageError
from ledger.domain.errors import Archived, LedgerError, Unavailable

SCOPE = "audit.read"
CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 60.0
"""The longest pause within a response. The heartbeats of an event stream are more frequent."""

MAX_LINE_BYTES = 2**22
CONNECTION_ERRORS = (aiohttp.ClientError, TimeoutError, OSError)


class _TokenResponse(Struct, frozen=True):
    access_token: str


@asynccontextmanager
async def connect(issuer: str, credentials: Credentials) -> AsyncIterator["ServiceConnection"]:
    """Yield a connection to an issuer. Nothing is sent before the first request."""
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_SECONDS, sock_read=READ_TIMEOUT_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=MAX_LINE_BYTES,
    ) as session:
        yield ServiceConnection(session, issuer, credentials)


class ServiceConnection:
    """Sends requests with a bearer token. A token obtained with client credentials is renewed once when refused.

    Redirects are not followed, because the token is for this issuer. Every method raises Unavailable, OperationError.
    """

    def __init__(self, session: aiohttp.ClientSession, issuer: str, credentials: Credentials) -> None:
        self._session = session
        self._credentials = credentials
        self._token = credentials.token
        self.issuer = issuer

    @asynccontextmanager
    async def request(self, method: str, path: str, **more: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield a response of status 200. Losing the connection while its body is read is Unavailable too.

        `path` is relative to the issuer, with its segments quoted.
        """
        with _explain_connection_errors(self.issuer):
            try:
                response = await self._send_authorized(method, path, **more)
            except TokenRefused:
                if self._credentials.token is not None:
                    raise
                self._token = None
                response = await self._send_authorized(method, path, **more)
            async with response:
                yield response

    async def _send_authorized(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> aiohttp.ClientResponse:
        if self._token is None:
            self._token = await self._request_token()
        authorized = {"Authorization": f"Bearer {self._token.get_secret_value()}"} | dict(headers or {})
        response = await self._send(method, path, headers=authorized, **more)
        if response.status != HTTPStatus.OK:
            async with response:
                raise _explain_failure(self.issuer, response, await response.read())
        return response

    async def _request_token(self) -> SecretStr:
        client_id = self._credentials.client_id
        form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": self._credentials.client_secret.get_secret_value(),
            "scope": SCOPE,
        }
        async with await self._send("POST", "/oauth2/token", data=form) as response:
            body = await response.read()
            if response.status != HTTPStatus.OK:
                raise _explain_token_failure(self.issuer, client_id, response, body)
        try:
            return SecretStr(msgspec.json.decode(body, type=_TokenResponse).access_token)
        except msgspec.MsgspecError:
            msg = f"the token response of {self.issuer} is not valid: check that this is the URL of an issuer"
            raise OperationError(msg) from None

    async def _send(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, **more: Any
    ) -> aiohttp.ClientResponse:
        url = URL(self.issuer + path, encoded=True).with_query(params)
        return await self._session.request(method, url, allow_redirects=False, **more)


@contextmanager
def _explain_connection_errors(issuer: str) -> Iterator[None]:
    try:
        yield
    except aiohttp.InvalidURL:
        msg = f"{issuer} is not a valid URL"
        raise UsageError(msg) from None
    except CONNECTION_ERRORS as error:
        msg = f"{issuer} cannot be reached ({_explain(error)}): check the URL, and that the service runs"
        raise Unavailable(msg) from None


def _explain(error: Exception) -> str:
    """Explain a connection error without quoting the request."""
    match error:
        case TimeoutError():
            return "timeout"
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate is not trusted"
        case aiohttp.ClientSSLError():
            return "TLS failed"
        case aiohttp.ClientConnectorDNSError():
            return "its name cannot be resolved"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError():
            return "the connection was closed"
    number = getattr(getattr(error, "os_error", error), "errno", None)
    return os.strerror(number).lower() if isinstance(number, int) and number > 0 else type(error).__name__


class TokenRefused(OperationError):
    """The service refused the bearer token; a new one may be accepted."""


class ErrorBody(Struct, frozen=True):
    """The members of problem details and OAuth errors that are fit for display."""

    title: str = ""
    detail: str = ""
    parameter: str | None = None
    error: str = ""
    error_description: str = ""

    @property
    def text(self) -> str:
        """The most specific message, with the parameter it concerns."""
        text = self.detail or self.title or self.error_description or self.error
        return f"{self.parameter}: {text}" if self.parameter and not text.startswith(self.parameter) else text


def _explain_failure(issuer: str, response: aiohttp.ClientResponse, body: bytes) -> OperationError | LedgerError:
    """Map an error response of an audit endpoint to an error."""
    text, status = _decode(body).text, response.status
    details = f": {text}" if text else ""
    match status:
        case HTTPStatus.GONE:
            return Archived(text or f"{issuer} has archived this")
        case HTTPStatus.UNAUTHORIZED:
            return TokenRefused(f"{issuer} does not accept the token: it is expired, revoked, or not of this issuer")
        case HTTPStatus.FORBIDDEN:
            return OperationError(f"{issuer} refuses this token, it needs the scope audit.read{details}")
        case HTTPStatus.NOT_FOUND | HTTPStatus.BAD_REQUEST:
            return OperationError(text or f"{issuer} refuses the request ({status}): check that it is an issuer's URL")
    if _is_temporary(status):
        seconds = response.headers.get("Retry-After", "")
        retry = f"; retry in {seconds} s" if seconds.isdecimal() else ""
        return Unavailable(f"{issuer} is unavailable ({status}){details}{retry}")
    return OperationError(f"{issuer} sent an unexpected response ({status}){details}")


def _explain_token_failure(
    issuer: str, client_id: str, response: aiohttp.ClientResponse, body: bytes
) -> OperationError | LedgerError:
    """Map an error response of the token endpoint to an error."""
    if _is_temporary(response.status):
        return _explain_failure(issuer, response, body)
    problem = _decode(body)
    match problem.error:
        case "invalid_client":
            return OperationError(f"{issuer} does not accept client {client_id!r} with this secret: check {CLIENT_ID}")
        case "":
            no_endpoint = f"{issuer} has no token endpoint ({response.status})"
            return OperationError(f"{no_endpoint}: check that this is the URL of an issuer, or give {TOKEN}")
    scope = " with scope audit.read" if problem.error == "invalid_scope" else ""
    return OperationError(f"{issuer} grants client {client_id!r} no token{scope}: {problem.text}")


def _is_temporary(status: int) -> bool:
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS


def _decode(body: bytes) -> ErrorBody:
    try:
        return msgspec.json.decode(body, type=ErrorBody)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ErrorBody()
