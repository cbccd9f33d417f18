"""Sends requests one after another from its own thread, so that its work is not counted."""

import asyncio
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from http.client import HTTPResponse
from urllib.parse import urlencode

from yarl import URL


class Caller:
    """A connection to a server on this host. It posts forms and expects status 200."""

    def __init__(self, url: URL) -> None:
        assert url.host is not None
        assert url.port is not None
        self._url = url
        self._socket = socket.create_connection((url.host, url.port))

    def close(self) -> None:
        self._socket.close()

    async def post(self, path: str, forms: Sequence[dict[str, str]]) -> list[bytes]:
        """Post forms; return the bodies of the responses."""
        requests = [self._request(path, form) for form in forms]
        return await asyncio.to_thread(lambda: list(self._responses(requests)))

    async def send(self, path: str, forms: Sequence[dict[str, str]]) -> None:
        """Post forms and keep nothing of the responses."""
        requests = [self._request(path, form) for form in forms]
        await asyncio.to_thread(lambda: deque(self._responses(requests), maxlen=0).clear())

    def _request(self, path: str, form: dict[str, str]) -> bytes:
        body = urlencode(form).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self._url.host}\r\nContent-Length: {len(body)}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
        )
        return head.encode() + body

    def _responses(self, requests: Sequence[bytes]) -> Iterator[bytes]:
        for request in requests:
            self._socket.sendall(request)
            with HTTPResponse(self._socket, method="POST") as response:
                response.begin()
                body = response.read()
                assert response.status == 200, f"{response.status}: {body!r}"
            yield body
