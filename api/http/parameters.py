"""What a request may carry, declared once: it is read strictly by this, and described by it in the OpenAPI document."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from api.http.errors import INVALID_REQUEST, RequestError
from api.http.form import plain_name
from api.logging.redaction import REDACTED

T = TypeVar("T")

Location = Literal["query", "path", "header", "form"]

MAX_LOGGED_CHARACTERS = 100
MAX_QUOTED_NAME_CHARACTERS = 32

_PLAIN_VALUE = re.compile(r"[A-Za-z0-9 .,:;@/_+~-]*")


class MalformedValue(ValueError):
    """A value that its parameter does not take; the message says what it does take, and never quotes the value."""


@dataclass(frozen=True)
class Parameter(Generic[T]):
    """A parameter of an endpoint.

    `parse` raises MalformedValue. `schema` is JSON Schema, `secret` keeps the value out of logs, `style` is what
    OpenAPI has to know besides.
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


class Values:
    """The values of a request's parameters, as parsed."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def get(self, parameter: Parameter[T]) -> T | None:
        """The value, or None when it was left out."""
        return self._values.get(parameter.name)

    def either(self, parameter: Parameter[T], default: T) -> T:
        """The value, or the default when it was left out."""
        value: T = self._values.get(parameter.name, default)
        return value

    def required(self, parameter: Parameter[T]) -> T:
        """The value of a parameter that is declared as required."""
        value: T = self._values[parameter.name]
        return value


def read_values(parameters: Iterable[Parameter[Any]], given: Mapping[str, str]) -> Values:
    """What was given, as its parameters parse it.

    Raises RequestError (400) naming the first that is not known, lacks a value, is missing, or is malformed.
    """
    known = {parameter.name: parameter for parameter in parameters}
    values: dict[str, Any] = {}
    for name, text in given.items():
        if name not in known:
            raise _unknown(name)
        if not text:
            raise _at_fault(name, "must have a value; leave it out otherwise")
        try:
            values[name] = known[name].parse(text)
        except MalformedValue as error:
            raise _at_fault(name, str(error)) from None
    for name, parameter in known.items():
        if parameter.required and name not in values:
            raise _at_fault(name, "is missing")
    return Values(values)


def loggable(parameters: Iterable[Parameter[Any]], given: Mapping[str, str]) -> dict[str, str]:
    """What was given, fit for a log: known names, and values that are short and usual. Others are masked."""
    secret = {parameter.name: parameter.secret for parameter in parameters}
    return {
        name: REDACTED
        if secret[name] or len(text) > MAX_LOGGED_CHARACTERS or _PLAIN_VALUE.fullmatch(text) is None
        else text
        for name, text in given.items()
        if name in secret
    }


def _unknown(name: str) -> RequestError:
    # A name is quoted only when it looks like one: anything else might be a value in the wrong place.
    plain = plain_name(name) if len(name) <= MAX_QUOTED_NAME_CHARACTERS else None
    quoted = f"'{plain}'" if plain else "with an unusual name"
    return RequestError(INVALID_REQUEST, f"There is no parameter {quoted} here.", parameter=plain)


def _at_fault(name: str, what: str) -> RequestError:
    return RequestError(INVALID_REQUEST, f"{name}: {what}", parameter=name)
