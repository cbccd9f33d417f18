"""Strict `application/x-www-form-urlencoded`: request bodies, queries, and the parts of a Basic header.

Input that can be read in more than one way is rejected rather than repaired: a repeated parameter (RFC 6749 §3.2), a
`%` without two hexadecimal digits, bytes that are not UTF-8, NUL.
"""

import re
from urllib.parse import unquote_to_bytes

from aiohttp import hdrs, web

from api.http.errors import CONTENT_TOO_LARGE, INVALID_REQUEST, UNSUPPORTED_MEDIA_TYPE, RequestError
from api.http.request_context import FormRequest

MEDIA_TYPE = "application/x-www-form-urlencoded"
MAX_BODY_BYTES = 64 * 1024
"""After decoding any Content-Encoding."""

MAX_PARAMETERS = 100

Form = dict[str, str]
"""Parameters by name. A parameter without a value is an empty string: treat it as omitted (RFC 6749 §3.2)."""

_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


async def read_form(request: FormRequest) -> Form:
    """Read the parameters of a request body. Raises RequestError."""
    content_type = request.headers.get(hdrs.CONTENT_TYPE)
    if content_type is not None:
        _check_media_type(content_type)
    length = request.content_length
    if length is not None and length > MAX_BODY_BYTES:
        raise RequestError(CONTENT_TOO_LARGE)
    try:
        body = await request.read()
    except (web.RequestPayloadError, ConnectionError) as error:
        # Broken chunking or compression, or a client that disconnected: not a server error.
        raise RequestError(INVALID_REQUEST, "The request body cannot be read.") from error
    if content_type is None and body:
        raise RequestError(UNSUPPORTED_MEDIA_TYPE)
    return parse_form(body)


def parse_form(body: bytes) -> Form:
    """Parse a form. Raises RequestError (400), whose message never quotes a value."""
    if body.count(b"&") >= MAX_PARAMETERS:
        raise RequestError(INVALID_REQUEST, f"The request has more than {MAX_PARAMETERS} parameters.")
    _check_encoding(body)
    form: Form = {}
    for pair in _utf8(body).split("&"):
        if not pair:
            continue
        name, _, value = pair.partition("=")
        if "%" in pair or "+" in pair:
            name, value = _decode(name), _decode(value)
        if name in form:
            plain = plain_name(name)
            quoted = f"'{plain}'" if plain else "with an unusual name"
            raise RequestError(INVALID_REQUEST, f"The parameter {quoted} is repeated.", parameter=plain)
        form[name] = value
    return form


def parse_query(query: str) -> Form:
    """Parse a query string as sent. Raises RequestError (400)."""
    return parse_form(query.encode("utf-8", "surrogateescape"))


def decode_component(component: bytes) -> str:
    """Decode one form-encoded name or value. Raises RequestError (400)."""
    _check_encoding(component)
    return _decode(_utf8(component))


def require_parameter(form: Form, name: str) -> str:
    """Return the value of a required parameter. Raises RequestError."""
    value = form.get(name)
    if not value:
        raise missing_parameter(name)
    return value


def missing_parameter(name: str) -> RequestError:
    """The error for a request without a required parameter."""
    return RequestError(INVALID_REQUEST, f"The parameter '{name}' is missing or empty.")


def plain_name(name: str) -> str | None:
    """Return a parameter name if it is safe to quote; other text may be a value in the wrong place."""
    return name if _PLAIN_NAME.fullmatch(name) else None


def _check_media_type(content_type: str) -> None:
    if content_type == MEDIA_TYPE:
        return
    media_type, *parameters = content_type.split(";")
    if media_type.strip().lower() != MEDIA_TYPE:
        raise RequestError(UNSUPPORTED_MEDIA_TYPE)
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in {"utf-8", "utf8"}:
            raise RequestError(UNSUPPORTED_MEDIA_TYPE, "The charset of the body must be UTF-8.")


def _check_encoding(encoded: bytes) -> None:
    if b"\x00" in encoded or b"%00" in encoded:
        raise RequestError(INVALID_REQUEST, "The request contains a NUL byte.")
    if b"%" in encoded and _BROKEN_ESCAPE.search(encoded) is not None:
        message = "The request contains a '%' that is not followed by two hexadecimal digits."
        raise RequestError(INVALID_REQUEST, message)


def _decode(component: str) -> str:
    if "+" in component:
        component = component.replace("+", " ")
    return _utf8(unquote_to_bytes(component)) if "%" in component else component


def _utf8(encoded: bytes) -> str:
    try:
        return encoded.decode("utf-8")
    except UnicodeDecodeError:
        raise RequestError(INVALID_REQUEST, "The request is not valid UTF-8.") from None
