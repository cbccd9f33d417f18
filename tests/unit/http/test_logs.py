"""The lines that `configure_logging` writes."""

import io
import json
import logging

import pytest
import structlog

from api.logging.configuration import ADOPTED, SILENCED, configure_logging

TOKEN = "t" * 128


class Output:
    def __init__(self, output: str, level: str = "info") -> None:
        self._bytes = io.BytesIO()
        configure_logging(format=output, level=level, stream=io.TextIOWrapper(self._bytes, write_through=True))

    @property
    def text(self) -> str:
        return self._bytes.getvalue().decode()

    @property
    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture(autouse=True)
def _restored():
    loggers = [logging.getLogger(name) for name in (None, *ADOPTED, *SILENCED)]
    kept = [(logger, logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    configured = structlog.get_config()
    yield
    structlog.configure(**configured)
    for logger, handlers, level, propagate in kept:
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logger.propagate = propagate


def test_json_line_begins_with_timestamp_level_and_event():
    output = Output("json")
    structlog.get_logger().info("request", status=200, client_id="app")
    (line,) = output.lines
    assert list(line)[:3] == ["timestamp", "level", "event"]
    assert line["timestamp"].endswith("Z")
    assert {k: line[k] for k in ("level", "event", "status", "client_id")} == {
        "level": "info",
        "event": "request",
        "status": 200,
        "client_id": "app",
    }


@pytest.mark.parametrize("form", ["json", "console"])
def test_values_are_masked_when_their_key_is_secret(form):
    output = Output(form)
    structlog.get_logger().info("odd", token="abc123", Authorization="abc123", client_secret=123456, fine="visible")
    assert "abc123" not in output.text
    assert "123456" not in output.text
    assert output.text.count("[redacted]") == 3
    assert "visible" in output.text


@pytest.mark.parametrize("name", [None, "asyncpg", "alembic", "gunicorn.error", "aiohttp.server", "some.library"])
def test_standard_library_lines_have_the_same_shape(name):
    library = logging.getLogger(name)
    if name:
        library.addHandler(logging.StreamHandler(io.StringIO()))
    output = Output("json")
    library.warning("pool of %d with %s", 8, f"token={TOKEN}")
    (line,) = output.lines
    assert list(line)[:3] == ["timestamp", "level", "event"]
    assert line["level"] == "warning"
    assert line["event"] == "pool of 8 with token=[redacted]"


@pytest.mark.parametrize("name", SILENCED)
def test_request_lines_of_libraries_are_silenced(name):
    output = Output("json", "debug")
    logging.getLogger(name).info("GET /?token=x")
    assert output.text == ""


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("source", ["structlog", "logging"])
def test_trace_is_masked_and_has_no_local_values(form, source):
    output = Output(form)
    logger = structlog.get_logger() if source == "structlog" else logging.getLogger("some.library")
    local_value = "hunter2-in-a-local"

    def fail():
        hidden = local_value.upper()
        assert hidden
        message = f"no {TOKEN} at postgresql://u:hunter2@db"
        raise LookupError(message)

    try:
        fail()
    except LookupError:
        logger.exception("failed")
    assert "Traceback" in output.text
    assert "LookupError" in output.text
    assert "no [redacted] at postgresql://u:[redacted]@db" in output.text
    assert local_value.upper() not in output.text
    assert TOKEN not in output.text


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("source", ["structlog", "logging"])
def test_lines_are_dropped_when_below_the_level(form, source):
    output = Output(form, "WARNING")
    logger = structlog.get_logger() if source == "structlog" else logging.getLogger("some.library")
    logger.info("quiet")
    logger.warning("loud")
    assert "quiet" not in output.text
    assert "loud" in output.text


def test_console_line_has_no_colours_when_not_a_terminal():
    output = Output("console")
    structlog.get_logger().info("request", status=200)
    assert "request" in output.text
    assert "status=200" in output.text
    assert "\x1b" not in output.text


def test_line_is_written_when_text_is_not_unicode():
    output = Output("json")
    structlog.get_logger().info("odd \udcff", nested={"k": ["\udcff"]}, n=1)
    (line,) = output.lines
    assert (line["event"], line["nested"], line["n"]) == ("odd ?", {"k": ["?"]}, 1)
