"""An answer that is whole when it is made: most of its headers are rendered already, and it goes out in one write.

The library's Response prepares and serialises every header of every answer, which took a tenth of the time of an
introspection. What it negotiates besides (compression, chunks, cookies) an answer of this service never has.
"""

import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from aiohttp import HttpVersion, HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter


class RawResponse(web.StreamResponse):
    """A status, headers that are the same for every answer of its kind, some that are not, and a body.

    `fixed` is header lines, each with its end. `headers` is for the others; they may still be added.
    """

    def __init__(self, fixed: str, body: bytes = b"", status: int = 200) -> None:
        # What the library's own makes besides is for what an answer of this service never has.
        self._status = status
        self._headers: dict[str, str] = {}  # type: ignore[assignment]
        self._state = {}
        self._fixed = fixed
        self._whole_body = body
        self._asked: web.BaseRequest | None = None

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Nothing is sent yet: head and body go together."""
        self._asked = request
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Send it. Raises ConnectionError when the client has gone, RuntimeError when it was not prepared."""
        request, self._asked = self._asked, None
        if request is None:
            msg = "an answer is sent once, after it was prepared"
            raise RuntimeError(msg)
        if self._keep_alive is None:
            self._keep_alive = request.keep_alive
        head = self._head(_first_lines(request.version, self._status, self._keep_alive))
        await request.writer.write_eof(head if request.method == hdrs.METH_HEAD else head + self._whole_body + data)
        self._eof_sent = True

    def whole(self) -> bytes:
        """Head and body, for a POST in HTTP/1.1 on a connection that stays."""
        return self._head(_first_line(self._status)) + self._whole_body

    def _head(self, first: str) -> bytes:
        others = "".join([f"{name}: {_checked(value)}\r\n" for name, value in self._headers.items()])
        date = _date_line(int(time.time()))
        return f"{first}{self._fixed}{others}{date}Content-Length: {len(self._whole_body)}\r\n\r\n".encode()


def header_lines(**headers: str) -> str:
    """Header lines for `fixed`; an underscore in a name stands for a hyphen."""
    return "".join(f"{name.replace('_', '-')}: {_checked(value)}\r\n" for name, value in headers.items())


def _checked(value: str) -> str:
    if "\r" in value or "\n" in value or "\x00" in value:
        msg = "a header value may not hold a line break: it would begin another header"
        raise ValueError(msg)
    return value


@lru_cache(maxsize=2)
def _date_line(second: int) -> str:
    return f"Date: {formatdate(second, usegmt=True)}\r\n"


@lru_cache(maxsize=64)
def _first_line(status: int) -> str:
    return _first_lines(HttpVersion11, status, keep_alive=True)


@lru_cache(maxsize=256)
def _first_lines(version: HttpVersion, status: int, keep_alive: bool | None) -> str:  # noqa: FBT001 (a key of the cache)
    """The status line and, where it is not the version's default (RFC 9112 §9.3), what becomes of the connection."""
    lines = f"HTTP/{version.major}.{version.minor} {status} {HTTPStatus(status).phrase}\r\n"
    if version >= HttpVersion11:
        return lines if keep_alive else f"{lines}Connection: close\r\n"
    return f"{lines}Connection: keep-alive\r\n" if keep_alive else lines
