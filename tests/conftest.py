"""A real database for the tests that use it. Other tests start no server."""

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import structlog

from tests.databases import Database, DatabaseServer, embedded_server

# A background shell starts its children with SIGINT ignored, and processes that tests start inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def database_server() -> Iterator[DatabaseServer]:
    """The server of TOKEN_LEDGER_TEST_DSN (a superuser's DSN), or an embedded one for each test process."""
    with ExitStack() as stack:
        dsn = os.environ.get("TOKEN_LEDGER_TEST_DSN")
        if not dsn:
            dsn = stack.enter_context(embedded_server())
        yield stack.enter_context(DatabaseServer(dsn))


@pytest.fixture
def database(database_server: DatabaseServer) -> Iterator[Database]:
    """A database of the test's own, with the schema of this release and nothing in it."""
    database = database_server.create_migrated()
    yield database
    database_server.drop(database)


@pytest.fixture
def empty_database(database_server: DatabaseServer) -> Iterator[Database]:
    """A database of the test's own without any schema."""
    database = database_server.create_empty()
    yield database
    database_server.drop(database)


@pytest.fixture
def _restored_logging() -> Iterator[None]:
    """Puts logging back as it was, for tests that configure it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    kept = structlog.get_config()
    yield
    structlog.configure(**kept)
    for handler in root.handlers[:]:
        root.removeHandler(handler)
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)
