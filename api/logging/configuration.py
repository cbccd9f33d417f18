"""Log output of the service and its libraries: one JSON object per line, or console lines for people.

All lines go to standard error, so that the output of commands can be piped. `api.logging.redaction` masks secrets in
every line.
"""

import asyncio
import atexit
import json
import logging
import sys
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any, BinaryIO, Literal, TextIO

import msgspec
import structlog
from structlog.typing import EventDict

from api.logging.redaction import REDACTED, find_secret_keys, is_plain, redact, redact_text

Format = Literal["json", "console"]

SILENCED = ("aiohttp.access", "gunicorn.access")
"""Loggers of request lines, which contain query strings. The service logs each request itself."""

ADOPTED = ("gunicorn.error", "alembic", "asyncpg", "aiohttp.server", "asyncio")
"""Loggers whose handlers are removed, so that their lines use our format and appear once."""

_encode = msgspec.json.Encoder(enc_hook=str).encode


def configure_logging(*, format: Format, level: str = "info", stream: TextIO | None = None) -> None:  # noqa: A002 (what an operator calls it)
    """Set up structlog and the standard library's logging for this process.

    `level` is a level name of `logging`, in upper or lower case. `stream` defaults to standard error and needs a
    `buffer` for JSON. Loggers created earlier may keep their configuration.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    out = stream or sys.stderr
    as_json = format == "json"
    console = structlog.dev.ConsoleRenderer(
        colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback, sort_keys=False
    )
    structlog.configure(
        processors=[finish_event, render_json] if as_json else [finish_event, format_time, console],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=_line_logger_factory(out.buffer) if as_json else structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            finish_event,
            *([_render_json_text] if as_json else [format_time, console]),
        ],
    )
    _route_standard_logging(formatter, number, out)


class LineLogger:
    """The innermost structlog logger, which writes finished lines.

    It buffers the lines of one event loop iteration and writes them in the next one: under load, one system call
    writes the lines of many requests. Outside of an event loop it writes each line at once.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._waiting: list[bytes] = []

    def msg(self, line: bytes) -> None:
        """Write one line, which has no line terminator yet."""
        self._waiting.append(line)
        if len(self._waiting) > 1:  # the first line has scheduled the flush
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
        else:
            loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write the buffered lines."""
        lines, self._waiting = self._waiting, []
        if lines:
            self._out.write(b"\n".join(lines) + b"\n")
            self._out.flush()

    debug = info = warning = error = critical = exception = fatal = warn = log = msg


def _line_logger_factory(out: BinaryIO) -> Callable[..., LineLogger]:
    logger = LineLogger(out)
    atexit.register(logger.flush)  # the event loop may end before its next iteration
    return lambda *_args: logger


def finish_event(_logger: Any, method: str, event: EventDict) -> EventDict:
    """Structlog processor that adds time and level, formats an exception and masks secrets.

    It is one function because it runs for every request.
    """
    if "exc_info" in event:
        event = structlog.processors.format_exc_info(None, method, event)
    for key, value in event.items():
        kind = type(value)
        if kind is str:
            if not is_plain(value):
                event[key] = redact_text(value)
        elif kind is not int and kind is not float:
            event[key] = redact(value)
    for key in find_secret_keys(tuple(event)):
        event[key] = REDACTED
    event["level"] = method
    event["timestamp"] = datetime.now(UTC)
    return event


def format_time(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Structlog processor that formats the time, for renderers that expect text."""
    event["timestamp"] = event["timestamp"].isoformat(timespec="milliseconds")
    return event


def render_json(_logger: Any, _method: str, event: EventDict) -> bytes:
    """Structlog processor that renders the line. Time, level and event come first, for readers of raw lines."""
    line: dict[str, Any] = {"timestamp": event["timestamp"], "level": event["level"], "event": event["event"]}
    line.update(event)
    try:
        return _encode(line)
    except UnicodeEncodeError:  # input may contain lone surrogates, and logging must not fail
        text = json.dumps(msgspec.to_builtins(line, enc_hook=str), ensure_ascii=False)
        return text.encode("utf-8", "replace")


def _render_json_text(logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
    return render_json(logger, method, event).decode("utf-8")


def _route_standard_logging(formatter: logging.Formatter, level: int, out: TextIO) -> None:
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in ADOPTED:
        adopted = logging.getLogger(name)
        adopted.handlers = []
        adopted.setLevel(logging.NOTSET)
        adopted.propagate = True
    for name in SILENCED:
        silenced = logging.getLogger(name)
        silenced.handlers = [logging.NullHandler()]
        silenced.propagate = False
