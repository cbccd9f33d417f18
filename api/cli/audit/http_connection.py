"""Speaking to a service over HTTP: the token, the requests, and what goes wrong with them."""

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
from api.cli.audit.http_errors import TokenRefused, failure, token_failure
from api.operations.errors import OperationError, UsageError
from ledger.domain.errors import Unavailable

SCOPE = "audit.read"
CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 60.0
"""How long an answer may pause. Where events are followed, heartbeats come more often."""

LONGEST_LINE = 2**22
LOST = (aiohttp.ClientError, TimeoutError, OSError)


class _Granted(Struct, frozen=True):
    access_token: str


@asynccontextmanager
async def connect(issuer: str, credentials: Credentials) -> AsyncIterator["Connection"]:
    """A connection to an issuer; nothing is sent yet."""
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=LONGEST_LINE,
    ) as session:
        yield Connection(session, issuer, credentials)


class Connection:
    """Asks with a bearer token; one that was got for a client is got anew when it is no longer accepted.

    Redirections are not followed: the token is for this issuer. Every method raises Unavailable or OperationError.
    """

    def __init__(self, session: aiohttp.ClientSession, issuer: str, credentials: Credentials) -> None:
        self._session = session
        self._credentials = credentials
        self._token = credentials.token
        self.issuer = issuer

    async def get(self, path: str, params: Mapping[str, str]) -> bytes:
        """The body of an answer. `path` is below the issuer, its parts quoted."""
        async with self.answer("GET", path, params=params) as response:
            return await response.read()

    async def post(self, path: str, form: Mapping[str, str]) -> bytes:
        """The body of the answer to a form."""
        async with self.answer("POST", path, data=form) as response:
            return await response.read()

    @asynccontextmanager
    async def answer(self, method: str, path: str, **more: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer of status 200 with its body still to be read; losing it meanwhile is Unavailable as well."""
        with _losses(self.issuer):
            try:
                response = await self._ask(method, path, **more)
            except TokenRefused:
                if self._credentials.token is not None:
                    raise
                self._token = None
                response = await self._ask(method, path, **more)
            async with response:
                yield response

    async def _ask(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> Any:
        if self._token is None:
            self._token = await self._get_token()
        authorized = {"Authorization": f"Bearer {self._token.get_secret_value()}"} | dict(headers or {})
        response = await self._request(method, path, headers=authorized, **more)
        if response.status != HTTPStatus.OK:
            async with response:
                raise failure(self.issuer, response.status, response.headers, await response.read())
        return response

    async def _get_token(self) -> SecretStr:
        client_id = self._credentials.client_id
        form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": self._credentials.client_secret.get_secret_value(),
            "scope": SCOPE,
        }
        async with await self._request("POST", "/oauth2/token", data=form) as response:
            body = await response.read()
            if response.status != HTTPStatus.OK:
                raise token_failure(self.issuer, client_id, response.status, response.headers, body)
        try:
            return SecretStr(msgspec.json.decode(body, type=_Granted).access_token)
        except msgspec.MsgspecError:
            msg = f"{self.issuer} answered the request for a token with something else: is this the URL of an issuer?"
            raise OperationError(msg) from None

    async def _request(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, **more: Any
    ) -> aiohttp.ClientResponse:
        url = URL(self.issuer + path, encoded=True).with_query(params)
        return await self._session.request(method, url, allow_redirects=False, **more)


@contextmanager
def _losses(issuer: str) -> Iterator[None]:
    """Turn what goes wrong on the way into Unavailable."""
    try:
        yield
    except aiohttp.InvalidURL:
        msg = f"{issuer} is no URL that can be asked"
        raise UsageError(msg) from None
    except LOST as error:
        msg = f"{issuer} cannot be reached ({_words(error)}): check the URL, and that the service runs"
        raise Unavailable(msg) from None


def _words(error: Exception) -> str:
    """What went wrong, without what it was for."""
    match error:
        case TimeoutError():
            return "it takes too long"
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate is not trusted"
        case aiohttp.ClientSSLError():
            return "TLS fails"
        case aiohttp.ClientConnectorDNSError():
            return "its name cannot be resolved"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError():
            return "the connection was cut"
    number = getattr(getattr(error, "os_error", error), "errno", None)
    return os.strerror(number).lower() if isinstance(number, int) and number > 0 else type(error).__name__
