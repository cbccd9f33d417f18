"""Strict `application/x-www-form-urlencoded`: request bodies, and the parts of a Basic header (RFC 6749 appendix B).

What cannot be read in exactly one way is refused rather than repaired: a parameter sent twice (RFC 6749 §3.2), a `%`
without two hexadecimal digits, bytes that are not UTF-8, NUL.
"""

import re
from urllib.parse import unquote_to_bytes

from api.http.errors import INVALID_REQUEST, UNSUPPORTED_MEDIA_TYPE, RequestError

MEDIA_TYPE = "application/x-www-form-urlencoded"
MAX_PARAMETERS = 100

Form = dict[str, str]
"""Parameters by name. One sent without a value is there, as an empty string: treat it as omitted (RFC 6749 §3.2)."""

_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class MalformedForm(ValueError):
    """The text is not form-encoded; the message says what is wrong and never quotes a value.

    `parameter` is the one at fault, where one is and its name looks like a name.
    """

    def __init__(self, message: str, parameter: str | None = None) -> None:
        super().__init__(message)
        self.parameter = parameter


def check_media_type(content_type: str) -> None:
    """Accept the form media type, with no charset or UTF-8. Raises RequestError (415) for any other."""
    if content_type == MEDIA_TYPE:
        return
    media_type, *parameters = content_type.split(";")
    if media_type.strip().lower() != MEDIA_TYPE:
        raise RequestError(UNSUPPORTED_MEDIA_TYPE)
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in {"utf-8", "utf8"}:
            raise RequestError(UNSUPPORTED_MEDIA_TYPE, "The charset of the body must be UTF-8.")


def parse_form(body: bytes) -> Form:
    """The parameters of a body. Raises RequestError (400) naming what is wrong."""
    try:
        return _parse(body)
    except MalformedForm as error:
        raise RequestError(INVALID_REQUEST, str(error), parameter=error.parameter) from None


def parse_query(query: str) -> Form:
    """The parameters of a query string as it was sent. Raises RequestError (400) naming what is wrong."""
    return parse_form(query.encode("utf-8", "surrogateescape"))


def decode_component(component: bytes) -> str:
    """One form-encoded name or value. Raises MalformedForm."""
    _check_encoding(component)
    return _decode(_utf8(component))


def _parse(body: bytes) -> Form:
    if body.count(b"&") >= MAX_PARAMETERS:
        msg = f"The request has more than {MAX_PARAMETERS} parameters."
        raise MalformedForm(msg)
    _check_encoding(body)
    form: Form = {}
    for pair in _utf8(body).split("&"):
        if not pair:
            continue
        name, _, value = pair.partition("=")
        if "%" in pair or "+" in pair:
            name, value = _decode(name), _decode(value)
        if name in form:
            _refuse_repeated(name)
        form[name] = value
    return form


def _check_encoding(encoded: bytes) -> None:
    if b"\x00" in encoded or b"%00" in encoded:
        msg = "The request contains a NUL byte."
        raise MalformedForm(msg)
    if b"%" in encoded and _BROKEN_ESCAPE.search(encoded) is not None:
        msg = "The request contains a '%' that is not followed by two hexadecimal digits."
        raise MalformedForm(msg)


def _decode(component: str) -> str:
    if "+" in component:
        component = component.replace("+", " ")
    return _utf8(unquote_to_bytes(component)) if "%" in component else component


def _utf8(encoded: bytes) -> str:
    try:
        return encoded.decode("utf-8")
    except UnicodeDecodeError:
        msg = "The request is not valid UTF-8."
        raise MalformedForm(msg) from None


def _refuse_repeated(name: str) -> None:
    # A name is quoted only when it looks like one: anything else might be a value in the wrong place.
    plain = plain_name(name)
    quoted = f"'{plain}'" if plain else "with an unusual name"
    msg = f"The parameter {quoted} is given more than once."
    raise MalformedForm(msg, plain)


def plain_name(name: str) -> str | None:
    """The name of a parameter where it may be quoted: when it looks like one."""
    return name if _PLAIN_NAME.fullmatch(name) else None
