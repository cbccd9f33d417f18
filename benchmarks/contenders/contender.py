"""The interface of every compared server, including ours."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

CLIENT_ID, CLIENT_SECRET = "user-client-opaque", "user-client-secret"
"""The client that obtains and revokes tokens, registered in every contender with this secret and SCOPES."""

RESOURCE_SERVER_ID, RESOURCE_SERVER_SECRET = "service-client-jwt", "service-client-jwt-secret"
"""The client that introspects tokens."""

SCOPES = ("country.read", "customer.read", "customer.write")


@dataclass(frozen=True)
class Database:
    """The database of one contender, in the PostgreSQL server that all contenders share, over TCP."""

    host: str
    port: int
    name: str
    user: str
    password: str

    @property
    def url(self) -> str:
        """The URL in the format of libpq, Go and Node."""
        return f"postgresql://{self.user}:{self.password}@{self.host}:{self.port}/{self.name}"


@dataclass(frozen=True)
class FormRequest:
    """A POST of a form. The client authenticates in the form or in a header."""

    url: str
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


class RunningContender(Protocol):
    """A contender that accepts requests."""

    @property
    def pids(self) -> list[int]:
        """Its current processes without PostgreSQL, whose CPU time is measured."""
        ...

    def issue(self) -> FormRequest:
        """Request client_credentials for CLIENT_ID with all SCOPES. The response is JSON with `access_token`."""
        ...

    def introspect(self, token: str) -> FormRequest:
        """Introspect as RESOURCE_SERVER_ID. The response is JSON with `active`."""
        ...

    def revoke(self, token: str) -> FormRequest:
        """Revoke a token of CLIENT_ID."""
        ...


class Contender(Protocol):
    """A server, configured for production as its documentation says, that logs at least warnings and errors."""

    name: str
    notes: str
    """Markdown for the report: its configuration, the reasons, and differences to the others, in one paragraph."""

    def set_up(self, folder: Path) -> Mapping[str, str]:
        """Install it into this folder, unless it is installed; return versions by component.

        Outside of the folder, only the caches of package clients may change. Raises ContenderUnavailable.
        """
        ...

    def serve(
        self, folder: Path, database: Database, *, port: int, processes: int
    ) -> AbstractContextManager[RunningContender]:
        """Create its schema and the two clients, start it on 127.0.0.1, wait until it is ready; stop it in the end.

        `folder` is the folder of set_up. `processes` is the number of worker processes, or of processors for a server
        with threads. It may use the ports from `port` to `port` + 9. Raises ContenderUnavailable with the end of its
        log when it does not start.
        """
        ...
