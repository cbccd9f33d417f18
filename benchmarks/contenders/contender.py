"""What the benchmarks ask of every server that they compare, ours included."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

CLIENT_ID, CLIENT_SECRET = "user-client-opaque", "user-client-secret"
"""The client that obtains and revokes tokens. Every contender has it, with this secret and these scopes."""

RESOURCE_SERVER_ID, RESOURCE_SERVER_SECRET = "service-client-jwt", "service-client-jwt-secret"
"""The client that introspects them."""

SCOPES = ("country.read", "customer.read", "customer.write")


class CannotHave(Exception):
    """Why a contender cannot be had or run on this machine, in a sentence for the report."""


@dataclass(frozen=True)
class Database:
    """An empty database of one contender, in the PostgreSQL server that all of them share, over TCP."""

    host: str
    port: int
    name: str
    user: str
    password: str

    @property
    def url(self) -> str:
        """The address as libpq, Go and Node write it."""
        return f"postgresql://{self.user}:{self.password}@{self.host}:{self.port}/{self.name}"


@dataclass(frozen=True)
class FormRequest:
    """A POST of a form. Where the client is not in the form, the header says who asks."""

    url: str
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Running(Protocol):
    """A contender that answers."""

    @property
    def pids(self) -> list[int]:
        """Its processes now, without those of PostgreSQL: what a request costs in processor time is read from them."""
        ...

    def issue(self) -> FormRequest:
        """client_credentials for CLIENT_ID with all SCOPES. The answer is JSON with `access_token`."""
        ...

    def introspect(self, token: str) -> FormRequest:
        """What RESOURCE_SERVER_ID asks. The answer is JSON with `active`."""
        ...

    def revoke(self, token: str) -> FormRequest:
        """What CLIENT_ID asks of its own token."""
        ...


class Contender(Protocol):
    """A server as its documentation would have it run in production, logging warnings and errors at least."""

    name: str
    notes: str
    """For the report, Markdown: how it is configured and why, and what is not like the others (one short paragraph)."""

    def set_up(self, folder: Path) -> Mapping[str, str]:
        """Install it into this folder from the registries, unless it is there; return versions by component.

        Nothing is left outside of the folder but the caches of the package clients. Raises CannotHave.
        """
        ...

    def running(
        self, folder: Path, database: Database, *, port: int, processes: int
    ) -> AbstractContextManager[Running]:
        """Make its schema and the two clients, start it on 127.0.0.1, and wait until it answers; stop it afterwards.

        `folder` is what set_up filled. `processes` is how many worker processes, where it has such a thing; one that
        uses threads is given as many processors instead. Ports from `port` to `port` + 9 are free for it. Raises
        CannotHave with the end of its log when it does not start.
        """
        ...
