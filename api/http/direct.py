"""A short way for forms: a small request that came whole is answered without what the library makes for every request.

What is left out is a turn of the library's reading task, its request, its stream writer, and how it finishes an answer.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import HttpVersion11, StreamReader, hdrs, web
from aiohttp.http import RawRequestMessage
from multidict import CIMultiDictProxy

from api.http.request_context import FormRequest
from api.http.responses import RawResponse

Forms = dict[str, Callable[[FormRequest], Awaitable[RawResponse]]]
"""What answers a form that is posted, by path as sent and without a query."""

FORMS = web.AppKey("FORMS", Forms)

LARGEST = 16 * 1024
"""The longest body that goes this way, in bytes."""


class DirectRequest(dict[Any, Any]):
    """A request that came whole, as far as an endpoint for forms reads one. What is kept of it is kept by key."""

    __slots__ = ("_body", "_peer", "headers")

    def __init__(self, headers: CIMultiDictProxy[str], body: bytes, peer: object) -> None:
        """`peer` is the transport's name of it: a tuple that begins with the address, or the path of a socket."""
        self.headers = headers
        self._body = body
        self._peer = peer

    @property
    def content_length(self) -> int:
        """How long the body is."""
        return len(self._body)

    @property
    def remote(self) -> str | None:
        """The peer's address."""
        peer = self._peer[0] if isinstance(self._peer, tuple | list) else self._peer
        return None if peer is None else str(peer)

    async def read(self) -> bytes:
        """The body."""
        return self._body


def is_direct(message: object, payload: StreamReader) -> bool:
    """Whether a request came whole and asks for nothing of HTTP but an answer on a connection that stays."""
    return (
        isinstance(message, RawRequestMessage)
        and message.method == hdrs.METH_POST
        and message.version == HttpVersion11
        and not (message.should_close or message.upgrade or message.compression)
        and payload.is_eof()
        and payload.total_bytes <= LARGEST
        and payload.exception() is None
        and hdrs.EXPECT not in message.headers
    )
