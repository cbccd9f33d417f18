"""One request to a contender, and its answer."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from benchmarks.contenders.contender import FormRequest

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PATIENCE_SECONDS = 30.0


def ask(request: FormRequest) -> tuple[int, str]:
    """Status and body."""
    address = urlsplit(request.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("POST", address.path, request.body, {**FORM, **request.headers})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def answered(request: FormRequest) -> dict[str, Any]:
    """The JSON object of a successful answer; empty where the body is. Raises ValueError with what came instead."""
    status, body = ask(request)
    if status != http.client.OK:
        msg = f"{request.url} answered {status}: {body[:1000]}"
        raise ValueError(msg)
    return dict(json.loads(body)) if body.strip() else {}
