"""An endpoint as it is declared: where it is, what it takes, what it answers. Routes and OpenAPI are made of this."""

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
"""Who may call: anybody, a client that authenticates itself, or the holder of an access token."""


class ResponseSpec(Struct, frozen=True, kw_only=True):
    """An answer that is no error. `models` are the types that its body may be of: none, when it has no body."""

    description: str
    status: int = 200
    media_type: str = JSON
    models: Sequence[Any] = ()
    example: Any = None
    headers: Sequence[str] = ()


class Operation(Struct, frozen=True, kw_only=True):
    """What there is to know of an endpoint. `name` is for the log line and is the operation id.

    `errors` are those of its own: what every endpoint may answer is added where it is described.
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

    def parameters_in(self, *locations: str) -> Sequence[Parameter[Any]]:
        """The parameters in any of these locations."""
        return [parameter for parameter in self.parameters if parameter.location in locations]

    @property
    def responses_by_status(self) -> Mapping[int, Sequence[ResponseSpec]]:
        """The responses, grouped by status."""
        found: dict[int, list[ResponseSpec]] = {}
        for reply in self.responses:
            found.setdefault(reply.status, []).append(reply)
        return found
