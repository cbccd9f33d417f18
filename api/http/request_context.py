"""What endpoints read of a request, and what is known about it: its id and who sent it."""

from typing import Any, Protocol, TypeVar

from aiohttp import web
from msgspec import Struct
from multidict import CIMultiDictProxy

REQUEST_ID = "X-Request-Id"


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
    """The part of a request that form endpoints use; aiohttp's requests and `FastPathRequest` satisfy it."""

    @property
    def method(self) -> str:
        """The method, in upper case."""

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The header fields as sent."""

    @property
    def content_length(self) -> int | None:
        """The announced body length in bytes; None if unknown."""

    @property
    def remote(self) -> str | None:
        """The peer's address."""

    async def read(self) -> bytes:
        """Read the whole body."""

    def __getitem__(self, key: web.RequestKey[T], /) -> T: ...

    def __setitem__(self, key: web.RequestKey[T], value: T, /) -> None: ...
