"""The log line of each request.

It never contains the path as sent, the query string, headers or the body, because they may contain a token.
"""

import logging
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger

from api.http.errors import SERVER_ERROR
from api.http.request_context import RequestContext
from api.logging.configuration import LineLogger, finish_event, render_json
from api.logging.redaction import is_plain

EVENT = "request"

_is_plain = lru_cache(maxsize=1024)(is_plain)

_encode = msgspec.json.Encoder().encode


class PlainLine(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The JSON line of a request without an error: the most frequent line by far."""

    timestamp: datetime
    level: str
    event: str
    request_id: str
    endpoint: str
    client_id: str | None = None
    issuer: str | None = None
    status: int
    ms: float


class RequestLog:
    """Writes the log lines of one endpoint."""

    def __init__(self, log: FilteringBoundLogger, endpoint: str, issuer: str | None, *, quiet: bool) -> None:
        """Configure logging first. `quiet` lines have level debug, except server errors."""
        self._log = log
        self._endpoint = endpoint
        self._issuer = issuer
        self._quiet = quiet
        config = structlog.get_config()
        self._processors: list[Any] = config["processors"]
        logger = config["logger_factory"]()
        fixed = is_plain(endpoint) and is_plain(issuer or "")
        enabled = not quiet and log.is_enabled_for(logging.INFO)
        self._lines = logger if isinstance(logger, LineLogger) and fixed and enabled else None

    def write_plain(self, context: RequestContext, status: int, ms: float) -> bool:
        """Write the line of a request without an error, bypassing structlog: a third of the time.

        Returns False without writing if lines are not JSON or the line may contain something to mask.
        """
        client_id = context.client_id
        if (
            self._lines is None
            or self._processors != [finish_event, render_json]
            or status >= SERVER_ERROR.status
            or not is_plain(context.request_id)
            or not (client_id is None or _is_plain(client_id))
        ):
            return False
        line = PlainLine(
            timestamp=datetime.now(UTC),
            level="info",
            event=EVENT,
            request_id=context.request_id,
            endpoint=self._endpoint,
            client_id=client_id,
            issuer=self._issuer,
            status=status,
            ms=ms,
        )
        self._lines.msg(_encode(line))
        return True

    def write(self, context: RequestContext, failure: dict[str, str], status: int, ms: float) -> None:
        """Write the line of any request; `failure` has the fields that describe its error."""
        line: dict[str, Any] = {"request_id": context.request_id, "endpoint": self._endpoint, **failure}
        if context.client_id is not None:
            line["client_id"] = context.client_id
        if context.more is not None:
            line |= context.more
        if self._issuer is not None:
            line["issuer"] = self._issuer
        line["status"] = status
        line["ms"] = ms
        if status >= SERVER_ERROR.status:
            self._log.warning(EVENT, **line)
        elif self._quiet:
            self._log.debug(EVENT, **line)
        else:
            self._log.info(EVENT, **line)
