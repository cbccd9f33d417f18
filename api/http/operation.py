"""How endpoints are declared. Routes and the OpenAPI document are built from these declarations."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from aiohttp import hdrs
from msgspec import Struct

from api.http.errors import ErrorKind
from api.http.parameters import Parameter

READ = (hdrs.METH_GET, hdrs.METH_HEAD)
SEND = (hdrs.METH_POST,)

JSON = "application/json"

Security = Literal["none", "client", "bearer"]
"""How the caller authenticates: not at all, as a client, or with an access token."""


class ResponseSpec(Struct, frozen=True, kw_only=True):
    """A response that is not an error. `models` are the possible types of its body; empty for no body."""

    description: str
    status: int = 200
    media_type: str = JSON
    models: Sequence[Any] = ()
    example: Any = None
    headers: Sequence[str] = ()


class Operation(Struct, frozen=True, kw_only=True):
    """The declaration of an endpoint. `name` is its operation id, and names it in log lines and metrics.

    `errors` are specific to the endpoint; OpenAPI adds those common to all. `quiet` logs requests at level debug.
    """

    name: str
    methods: Sequence[str]
    summary: str
    tag: str
    description: str = ""
    security: Security = "none"
    parameters: Sequence[Parameter[Any]] = ()
    responses: Sequence[ResponseSpec]
    errors: Sequence[ErrorKind] = ()
    quiet: bool = False

    def parameters_in(self, *locations: str) -> Sequence[Parameter[Any]]:
        """The parameters in any of these locations."""
        return [parameter for parameter in self.parameters if parameter.location in locations]

    @property
    def responses_by_status(self) -> Mapping[int, Sequence[ResponseSpec]]:
        """The responses, grouped by status."""
        found: dict[int, list[ResponseSpec]] = {}
        for response in self.responses:
            found.setdefault(response.status, []).append(response)
        return found
