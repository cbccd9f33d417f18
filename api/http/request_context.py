"""One request on its way through: what the log line of it will say, and who is recorded as its cause."""

import re
from random import getrandbits
from typing import Any, Protocol, TypeVar

from aiohttp import web
from msgspec import Struct
from multidict import CIMultiDictProxy

from ledger.domain.client import Client
from ledger.domain.recording import Cause

REQUEST_ID = "X-Request-Id"
FORWARDED_FOR = "X-Forwarded-For"

_PLAIN_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_ADDRESS = re.compile(r"[0-9A-Fa-f.:\[\]]{2,64}")


class RequestContext(Struct):
    """What is known so far. `client_id` is set once the client is authenticated, so it is never a guess.

    `more` is what else the log line of this request is to have.
    """

    request_id: str
    client_id: str | None = None
    more: dict[str, Any] | None = None


REQUEST_CONTEXT = web.RequestKey("REQUEST_CONTEXT", RequestContext)

T = TypeVar("T")


class FormRequest(Protocol):
    """What is read of a request by an endpoint that takes a form, and by what stands around every endpoint.

    The library's requests are such, and `api.http.direct.DirectRequest`.
    """

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """As they came."""
        ...

    @property
    def content_length(self) -> int | None:
        """How many bytes of body were announced; None where that is not known before they are read."""
        ...

    @property
    def remote(self) -> str | None:
        """The peer's address."""
        ...

    async def read(self) -> bytes:
        """The whole body."""
        ...

    def __getitem__(self, key: web.RequestKey[T], /) -> T: ...

    def __setitem__(self, key: web.RequestKey[T], value: T, /) -> None: ...


def new_request_id() -> str:
    """128 random bits, hexadecimal: unlikely to come twice, not hard to guess. Nothing rests on its being secret."""
    return f"{getrandbits(128):032x}"


def request_id_of(request: FormRequest) -> str:
    """The caller's request id when it is plain, so that it can be followed across services; a new one otherwise."""
    given = request.headers.get(REQUEST_ID)
    if given is not None and _PLAIN_REQUEST_ID.fullmatch(given):
        return given
    return new_request_id()


def remote_address_of(request: FormRequest, *, behind_proxy: bool) -> str | None:
    """The peer's address; behind a proxy, the one that the proxy nearest to us added to X-Forwarded-For.

    Entries further left are whatever the caller wrote there, and are not believed.
    """
    if behind_proxy:
        forwarded = request.headers.getall(FORWARDED_FOR, ())
        nearest = forwarded[-1].rpartition(",")[2].strip() if forwarded else ""
        if _ADDRESS.fullmatch(nearest):
            return nearest
    return request.remote or None


def cause_of(request: FormRequest, client: Client, *, behind_proxy: bool) -> Cause:
    """What is recorded beside the events of this request."""
    return Cause(
        actor=f"client:{client.client_id}",
        request_id=request[REQUEST_CONTEXT].request_id,
        remote_address=remote_address_of(request, behind_proxy=behind_proxy),
    )
