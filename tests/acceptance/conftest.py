import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from service_process import Credentials, ServiceProcess, command_json

from api.embedded_postgres import EmbeddedPostgres


@pytest.fixture
def start() -> Iterator[Callable[..., ServiceProcess]]:
    """Starts `token-ledger serve`; whatever still runs at the end of the test is killed."""
    with ExitStack() as stack:
        yield lambda *flags, **more: stack.enter_context(ServiceProcess(*flags, **more))


@pytest.fixture(scope="session")
def demo_folder() -> Iterator[Path]:
    """The folder of an embedded database for demos. It is set up once, and nobody keeps it running."""
    with tempfile.TemporaryDirectory(prefix="token-ledger-demo-") as name:
        folder = Path(name) / "postgres"
        yield folder
        # Whatever a killed service left running has no user any more: the last to leave stops it.
        with EmbeddedPostgres(folder):
            pass


@pytest.fixture
def demo(start, database) -> ServiceProcess:
    """A service in demo mode, on a database of its own."""
    return start("--demo", "--dsn", database.service_dsn).ready()


@pytest.fixture
def add_client(database) -> Callable[..., Credentials]:
    """Registers a client by the command line; returns its id and generated secret."""

    def add(client_id: str, *flags: str) -> Credentials:
        added = command_json("clients", "add", client_id, "--dsn", database.service_dsn, *flags)
        return Credentials(client_id, added["client_secret"])

    return add
