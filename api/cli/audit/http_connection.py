"""The connection of the audit commands to a service: access token, requests and connection errors."""

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

from api.cli.audit.credentials import Credentials
from api.cli.audit.http_errors import TokenRefused, explain_failure, explain_token_failure
from api.operations.errors import OperationError, UsageError
from ledger.domain.errors import Unavailable

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
                raise explain_failure(self.issuer, response.status, response.headers, await response.read())
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
                raise explain_token_failure(self.issuer, client_id, response.status, response.headers, body)
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
