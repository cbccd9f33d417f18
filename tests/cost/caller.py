"""Sends one request after another, in a thread of its own, so that none of its work is counted."""

import asyncio
import socket
import threading
from collections.abc import Sequence
from http.client import HTTPResponse
from urllib.parse import urlencode

from yarl import URL


class Caller:
    """A connection to a server on this host. Every request is a form, and has to be answered 200."""

    def __init__(self, url: URL) -> None:
        assert url.host is not None
        assert url.port is not None
        self._url = url
        self._socket = socket.create_connection((url.host, url.port))

    def close(self) -> None:
        self._socket.close()

    async def post(self, path: str, forms: Sequence[dict[str, str]]) -> list[bytes]:
        """The bodies of the answers."""
        return await asyncio.to_thread(self._post, path, [self._request(path, form) for form in forms])

    def _request(self, path: str, form: dict[str, str]) -> bytes:
        body = urlencode(form).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self._url.host}\r\nContent-Length: {len(body)}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
        )
        return head.encode() + body

    def _post(self, path: str, requests: Sequence[bytes]) -> list[bytes]:
        # A profile is of one thread; what is set for all threads to come is not for this one.
        assert threading.current_thread() is not threading.main_thread()
        bodies = []
        for request in requests:
            self._socket.sendall(request)
            response = HTTPResponse(self._socket, method="POST")
            response.begin()
            bodies.append(response.read())
            assert response.status == 200, f"POST {path} was answered {response.status}: {bodies[-1]!r}"
            response.close()
        return bodies
