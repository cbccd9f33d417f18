"""Log output, our lines and libraries' alike: one JSON object a line for machines, or something for people to read.

Everything goes to standard error, so that what commands print can be piped. Every line passes `api.logging.redaction`.
"""

import asyncio
import atexit
import logging
import sys
from collections.abc import Callable, MutableMapping, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO, Literal, TextIO

import msgspec
import structlog
from structlog.typing import EventDict

from api.logging.redaction import REDACTED, needs_no_mask, redact, redact_text, secret_keys_among

Format = Literal["json", "console"]

SILENCED = ("aiohttp.access", "gunicorn.access")
"""Loggers of request lines, which hold query strings. The service writes a line of its own for each request."""

ADOPTED = ("gunicorn.error", "alembic", "asyncpg", "aiohttp.server", "asyncio")
"""Loggers whose handlers are taken away, so that their lines come in our format and once."""

_LEVELS = {"warn": "warning", "exception": "error", "fatal": "critical"}
"""Levels of methods that are not named after one."""

_encode = msgspec.json.Encoder(enc_hook=str).encode


def configure_logging(*, format: Format, level: str = "info", stream: TextIO | None = None) -> None:  # noqa: A002 (what an operator calls it)
    """Set up structlog and the standard library's logging for this process.

    `level` is a name that `logging` knows, in any case; `stream` is standard error when left out, and needs a `buffer`
    for JSON. Raises ValueError for an unknown level. Loggers made before this call may keep what they had.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        msg = f"log level {level!r} is not one of {', '.join(map(str.lower, logging.getLevelNamesMapping()))}"
        raise ValueError(msg)
    out = stream or sys.stderr
    as_json = format == "json"
    console = structlog.dev.ConsoleRenderer(
        colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback, sort_keys=False
    )
    structlog.configure(
        processors=[complete, render_json] if as_json else [complete, write_time, console],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=_lines_to(out.buffer) if as_json else structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            complete,
            *([_render_json_text] if as_json else [write_time, console]),
        ],
    )
    _route_standard_logging(formatter, number, out)


class Lines:
    """A logger in structlog's sense: what all others end in. It writes lines and hands them to the system.

    Lines of one turn of the event loop are handed over together, in the next turn: under load that is one system call
    for many requests. Outside of a loop each line is handed over at once.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._waiting: list[bytes] = []

    def msg(self, line: bytes) -> None:
        """Write one line, given without its end."""
        self._waiting.append(line)
        if len(self._waiting) > 1:  # the first of them has seen to it
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.hand_over()
        else:
            loop.call_soon(self.hand_over)

    def hand_over(self) -> None:
        """Give what waits to the system."""
        lines, self._waiting = self._waiting, []
        if lines:
            self._out.write(b"\n".join(lines) + b"\n")
            self._out.flush()

    debug = info = warning = error = critical = exception = fatal = warn = log = msg


def _lines_to(out: BinaryIO) -> Callable[..., Lines]:
    lines = Lines(out)
    atexit.register(lines.hand_over)  # for a loop that ended before its next turn
    return lambda *_args: lines


def complete(_logger: Any, method: str, event: EventDict) -> EventDict:
    """A structlog processor: adds time and level, turns an exception into its trace, and masks secrets everywhere.

    One function for all four, because it runs for every request.
    """
    if "exc_info" in event:
        event = structlog.processors.format_exc_info(None, method, event)
    for key, value in event.items():
        kind = type(value)
        if kind is str:
            if not needs_no_mask(value):
                event[key] = redact_text(value)
        elif kind is not int and kind is not float:
            event[key] = redact(value)
    for key in secret_keys_among(tuple(event)):
        event[key] = REDACTED
    event["level"] = _LEVELS.get(method, method)
    event["timestamp"] = datetime.now(UTC)
    return event


def write_time(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: the time as text, for renderers that do not know instants."""
    event["timestamp"] = event["timestamp"].isoformat(timespec="milliseconds")
    return event


def render_json(_logger: Any, _method: str, event: EventDict) -> bytes:
    """A structlog processor: the last one. Time, level and event come first, for those who read raw lines."""
    line: dict[str, Any] = {"timestamp": event["timestamp"], "level": event["level"], "event": event["event"]}
    line.update(event)
    try:
        return _encode(line)
    except UnicodeEncodeError:  # text from outside may hold half of a surrogate pair; a log line must not fail for it
        return _encode(_encodable(line))


def _render_json_text(logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
    return render_json(logger, method, event).decode("utf-8")


def _encodable(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode("utf-8")
        case dict():
            return {_encodable(key): _encodable(entry) for key, entry in value.items()}
        case list():
            return [_encodable(entry) for entry in value]
        case _:
            return value


def _route_standard_logging(formatter: logging.Formatter, level: int, out: TextIO) -> None:
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    _replace_handlers(root, [handler])
    root.setLevel(level)
    for name in ADOPTED:
        adopted = logging.getLogger(name)
        _replace_handlers(adopted, [])
        adopted.setLevel(logging.NOTSET)
        adopted.propagate = True
    for name in SILENCED:
        silenced = logging.getLogger(name)
        _replace_handlers(silenced, [logging.NullHandler()])
        silenced.propagate = False


def _replace_handlers(logger: logging.Logger, handlers: Sequence[logging.Handler]) -> None:
    for handler in tuple(logger.handlers):
        logger.removeHandler(handler)
    for handler in handlers:
        logger.addHandler(handler)
