"""Checks that a contender responds correctly before it is measured."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from benchmarks.contenders.contender import FormRequest, RunningContender
from benchmarks.errors import ContenderUnavailable

TIMEOUT_SECONDS = 30.0


def check_contender(running: RunningContender) -> tuple[str, str]:
    """Issue, introspect, revoke and introspect again; return a live and a revoked token.

    Raises ContenderUnavailable when a response is wrong.
    """
    try:
        live, revoked = (str(fetch_json(running.issue())["access_token"]) for _ in range(2))
        before = fetch_json(running.introspect(revoked)).get("active")
        fetch_json(running.revoke(revoked))
        after = fetch_json(running.introspect(revoked)).get("active")
    except (ValueError, KeyError, OSError) as error:
        msg = f"it does not respond correctly: {error}"
        raise ContenderUnavailable(msg) from error
    if (before, after) != (True, False):
        msg = f"a token had active={before} before its revocation and active={after} after it"
        raise ContenderUnavailable(msg)
    return live, revoked


def fetch_json(request: FormRequest) -> dict[str, Any]:
    """Return the JSON object of a successful response; empty for an empty body. Raises ValueError otherwise."""
    status, body = send_form(request)
    if status != http.client.OK:
        msg = f"the response of {request.url} was {status}: {body[:1000]}"
        raise ValueError(msg)
    return dict(json.loads(body)) if body.strip() else {}


def send_form(request: FormRequest) -> tuple[int, str]:
    """Return status and body of the response."""
    address = urlsplit(request.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=TIMEOUT_SECONDS)
    headers = {"Content-Type": "application/x-www-form-urlencoded", **request.headers}
    try:
        connection.request("POST", address.path, request.body, headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()
