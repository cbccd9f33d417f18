"""What is known about one request: its id, who sent it, and what is recorded as its cause."""

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
    """The context of a request. `client_id` is set only after authentication; `more` extends the log line."""

    request_id: str
    client_id: str | None = None
    more: dict[str, Any] | None = None

    def log_more(self, **more: Any) -> None:
        """Add fields to the log line of the request."""
        self.more = {**(self.more or {}), **more}


REQUEST_CONTEXT = web.RequestKey("REQUEST_CONTEXT", RequestContext)

T = TypeVar("T")


class FormRequest(Protocol):
    """The part of a request that form endpoints use; aiohttp's requests and `DirectRequest` satisfy it."""

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The header fields as sent."""
        ...

    @property
    def content_length(self) -> int | None:
        """The announced body length in bytes; None if unknown."""
        ...

    @property
    def remote(self) -> str | None:
        """The peer's address."""
        ...

    async def read(self) -> bytes:
        """Read the whole body."""
        ...

    def __getitem__(self, key: web.RequestKey[T], /) -> T: ...

    def __setitem__(self, key: web.RequestKey[T], value: T, /) -> None: ...


def new_request_id() -> str:
    """128 random bits in hexadecimal. Unlikely to repeat, but guessable: it must not serve as a secret."""
    return f"{getrandbits(128):032x}"


def request_id_of(request: FormRequest) -> str:
    """The caller's request id if it is plain, to correlate logs across services; a new one otherwise."""
    given = request.headers.get(REQUEST_ID)
    if given is not None and _PLAIN_REQUEST_ID.fullmatch(given):
        return given
    return new_request_id()


def remote_address_of(request: FormRequest, *, behind_proxy: bool) -> str | None:
    """The peer's address; behind a proxy, the last entry of X-Forwarded-For, which the nearest proxy added.

    Entries further left are under the caller's control and ignored.
    """
    if behind_proxy:
        forwarded = request.headers.getall(FORWARDED_FOR, ())
        nearest = forwarded[-1].rpartition(",")[2].strip() if forwarded else ""
        if _ADDRESS.fullmatch(nearest):
            return nearest
    return request.remote or None


def cause_of(request: FormRequest, client: Client, *, behind_proxy: bool) -> Cause:
    """The cause recorded with the events of this request."""
    return Cause(
        actor=f"client:{client.client_id}",
        request_id=request[REQUEST_CONTEXT].request_id,
        remote_address=remote_address_of(request, behind_proxy=behind_proxy),
    )
