"""How endpoints and their parameters are declared: requests are parsed strictly by these declarations.

Routes and the OpenAPI document are built from them too.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from aiohttp import hdrs
from msgspec import Struct

from api.http.errors import INVALID_REQUEST, ErrorKind, RequestError
from api.http.form import plain_name
from api.logging.redaction import REDACTED

T = TypeVar("T")

Location = Literal["query", "path", "header", "form"]

MAX_LOGGED_CHARACTERS = 100
MAX_QUOTED_NAME_CHARACTERS = 32

_PLAIN_VALUE = re.compile(rf"[A-Za-z0-9 .,:;@/_+~-]{{0,{MAX_LOGGED_CHARACTERS}}}")

READ = (hdrs.METH_GET, hdrs.METH_HEAD)
SEND = (hdrs.METH_POST,)

JSON = "application/json"

Security = Literal["none", "client", "bearer"]
"""How the caller authenticates: not at all, as a client, or with an access token."""


class MalformedValue(ValueError):
    """A parameter does not accept a value. The message says what it accepts and never quotes the value."""


@dataclass(frozen=True)
class Parameter(Generic[T]):
    """A parameter of an endpoint.

    `parse` raises MalformedValue. `schema` is JSON Schema, `style` is OpenAPI serialisation. A `secret` value is not
    logged.
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    parse: Callable[[str], T]
    location: Location = "query"
    required: bool = False
    example: Any = None
    secret: bool = False
    style: Mapping[str, Any] = field(default_factory=dict)


def form_parameter(name: str, description: str, *, required: bool = False, **schema: Any) -> Parameter[str]:
    """Declare a text parameter of a form."""
    return Parameter(name, description, {"type": "string", **schema}, str, location="form", required=required)


TOKEN_IN_FORM = form_parameter("token", "An access token.", required=True, minLength=1)
TOKEN_TYPE_HINT = form_parameter("token_type_hint", "Ignored: one lookup finds any type of token.")


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


class Values:
    """The parsed parameters of a request."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def get(self, parameter: Parameter[T]) -> T | None:
        """The value; None if the parameter is omitted."""
        value: T | None = self._values.get(parameter.name)
        return value

    def required(self, parameter: Parameter[T]) -> T:
        """The value of a required parameter."""
        value: T = self._values[parameter.name]
        return value


def parse_values(parameters: Iterable[Parameter[Any]], given: Mapping[str, str]) -> Values:
    """Parse the parameters of a request.

    Raises RequestError (400) naming the first parameter that is unknown, empty, missing or malformed.
    """
    known = {parameter.name: parameter for parameter in parameters}
    values: dict[str, Any] = {}
    for name, text in given.items():
        if name not in known:
            raise _unknown(name)
        if not text:
            raise parameter_error(name, "must have a value; omit it otherwise")
        try:
            values[name] = known[name].parse(text)
        except MalformedValue as error:
            raise parameter_error(name, str(error)) from None
    for name, parameter in known.items():
        if parameter.required and name not in values:
            raise parameter_error(name, "is missing")
    return Values(values)


def loggable(parameters: Iterable[Parameter[Any]], given: Mapping[str, str]) -> dict[str, str]:
    """Return the known parameters for a log line. Secret, long and unusual values are masked."""
    secret = {parameter.name: parameter.secret for parameter in parameters}
    return {
        name: text if not secret[name] and _PLAIN_VALUE.fullmatch(text) else REDACTED
        for name, text in given.items()
        if name in secret
    }


def parameter_error(name: str, problem: str) -> RequestError:
    """The error for a parameter with a bad value."""
    return RequestError(INVALID_REQUEST, f"{name}: {problem}", parameter=name)


def _unknown(name: str) -> RequestError:
    plain = plain_name(name) if len(name) <= MAX_QUOTED_NAME_CHARACTERS else None
    quoted = f"'{plain}'" if plain else "with an unusual name"
    return RequestError(INVALID_REQUEST, f"The parameter {quoted} is unknown.", parameter=plain)
