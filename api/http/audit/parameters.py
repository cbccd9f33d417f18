"""The parameters of the audit endpoints, and how each is parsed."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar, cast
from uuid import UUID

import msgspec

from api.http.audit.window import BUCKETS, EARLIEST, Bucket
from api.http.operation import MalformedValue, Parameter
from ledger.domain.clock import to_utc
from ledger.domain.codec import CODEC
from ledger.domain.events import Instant
from ledger.domain.scope import is_scope_token
from ledger.domain.token_record import STATUSES, TokenStatus

T = TypeVar("T", bound=str)

TYPES = tuple(sorted(CODEC.topics))
DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
MAX_TEXT_CHARACTERS = 255

_POSITION = re.compile(r"[0-9]{1,18}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_VISIBLE = re.compile(r"[\x21-\x7E]{1,255}")
_CURSOR = re.compile(r"[A-Za-z0-9_-]{1,512}")
_OFFSET_WITHOUT_PLUS = re.compile(r" \d\d:\d\d")
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)

_POSITION_SCHEMA = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
_INSTANT_SCHEMA = {"type": "string", "format": "date-time"}
_TEXT_SCHEMA = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_CHARACTERS}
_CLIENT_ID_SCHEMA = {"type": "string", "pattern": "^[!-~]{1,255}$"}


def parse_position(text: str) -> int:
    """Parse a log position; 0 is before the first event."""
    if _POSITION.fullmatch(text) is None:
        msg = "must be a log position: a whole number, 0 or more"
        raise MalformedValue(msg)
    return int(text)


def parse_instant(text: str) -> datetime:
    """Parse an RFC 3339 instant, from 1970 on."""
    if _OFFSET_WITHOUT_PLUS.fullmatch(text[-6:]):
        msg = "must be an RFC 3339 instant; encode the + of its offset as %2B"
        raise MalformedValue(msg)
    try:
        instant = to_utc(msgspec.convert(text, Instant)) if _RFC_3339.fullmatch(text) else None
    except (msgspec.ValidationError, OverflowError):
        instant = None
    if instant is None or instant < EARLIEST:
        msg = "must be an RFC 3339 instant with an offset, such as 2024-01-31T09:30:00Z, from 1970 on"
        raise MalformedValue(msg)
    return instant


def parse_moment(text: str) -> datetime | int:
    """Parse an instant or a log position."""
    if text.isdecimal():
        return parse_position(text)
    return parse_instant(text)


def _parse_limit(text: str) -> int:
    if _POSITION.fullmatch(text) is None or not 1 <= int(text) <= MAX_LIMIT:
        msg = f"must be 1 to {MAX_LIMIT}"
        raise MalformedValue(msg)
    return int(text)


def _parse_types(text: str) -> tuple[str, ...]:
    types = tuple(text.split(","))
    if not set(types) <= set(TYPES) or len(set(types)) != len(types):
        msg = f"must be one or more of {', '.join(TYPES)}, each once, separated by commas"
        raise MalformedValue(msg)
    return types


def _text_that(is_valid: Callable[[str], object], requirement: str) -> Callable[[str], str]:
    """Accept text for which a predicate holds."""

    def parse(text: str) -> str:
        if not is_valid(text):
            raise MalformedValue(requirement)
        return text

    return parse


_parse_uuid_text = _text_that(_UUID.fullmatch, "must be a UUID of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")
_parse_client_id = _text_that(_VISIBLE.fullmatch, "must be 1 to 255 visible ASCII characters without spaces")
_parse_cursor = _text_that(_CURSOR.fullmatch, "must be the `next` of an earlier page")
_parse_scope = _text_that(
    lambda text: len(text) <= MAX_TEXT_CHARACTERS and is_scope_token(text), "must be one scope token (RFC 6749 §3.3)"
)
_parse_text = _text_that(
    lambda text: len(text) <= MAX_TEXT_CHARACTERS and text.isprintable(),
    f"must be 1 to {MAX_TEXT_CHARACTERS} printable characters",
)


def _one_of(choices: Sequence[T]) -> Callable[[str], T]:
    return cast("Callable[[str], T]", _text_that(choices.__contains__, f"must be one of {', '.join(choices)}"))


def _instant(name: str, description: str) -> Parameter[datetime]:
    return Parameter(name, description, _INSTANT_SCHEMA, parse_instant, example="2026-03-01T12:00:00Z")


JTI = Parameter(
    "jti",
    "The id of a token, from an introspection response.",
    {"type": "string", "format": "uuid"},
    lambda text: UUID(_parse_uuid_text(text)),
    location="path",
    required=True,
    example="01959f2a-7c1e-7b44-9d3c-3a1f0c9d5e21",
)
TOKEN = Parameter(
    "token",
    "A token as issued. It is looked up by its digest, in any state.",
    {"type": "string", "minLength": 1},
    str,
    location="form",
    required=True,
    secret=True,
)
AS_OF = Parameter(
    "as_of",
    "Show the state as of an RFC 3339 instant or a log position. Default: now.",
    {"anyOf": [_INSTANT_SCHEMA, _POSITION_SCHEMA]},
    parse_moment,
    example="2026-03-01T12:00:00Z",
)
AS_OF_IN_FORM = replace(AS_OF, location="form")
MIN_POSITION = Parameter(
    "min_position",
    "Wait until the history includes this position, such as the Token-Ledger-Position of an earlier write.",
    _POSITION_SCHEMA,
    parse_position,
    example=0,
)
CLIENT_ID = Parameter(
    "client_id", "The client that a token or event belongs to.", _CLIENT_ID_SCHEMA, _parse_client_id, example="app"
)
CLIENT_ID_IN_PATH = replace(CLIENT_ID, description="The id of a client.", location="path", required=True)
SUBJECT = Parameter("subject", "The subject of the token.", _TEXT_SCHEMA, _parse_text, example="app")
SCOPE = Parameter("scope", "A scope token that the token has.", _TEXT_SCHEMA, _parse_scope, example="read")
STATUS: Parameter[TokenStatus] = Parameter(
    "status",
    "The state at the moment of the list.",
    {"type": "string", "enum": list(STATUSES)},
    _one_of(STATUSES),
    example="active",
)
ISSUED_AFTER = _instant("issued_after", "Recorded as issued at this instant or later.")
ISSUED_BEFORE = _instant("issued_before", "Recorded as issued at this instant or earlier.")
CURSOR = Parameter(
    "cursor",
    "The `next` of the previous page. It is valid only with the same filters.",
    {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,512}$"},
    _parse_cursor,
)
LIMIT = Parameter(
    "limit",
    "The maximum number of entries.",
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    _parse_limit,
    example=DEFAULT_LIMIT,
)
TYPE = Parameter(
    "type",
    "Event types, separated by commas. Default: all.",
    {"type": "array", "items": {"type": "string", "enum": list(TYPES)}, "minItems": 1, "uniqueItems": True},
    _parse_types,
    example=["token.issued", "token.revoked"],
    style={"style": "form", "explode": False},
)
ACTOR = Parameter(
    "actor", "The actor: `client:<id>` or `operator:<login>`.", _TEXT_SCHEMA, _parse_text, example="client:app"
)
SINCE = _instant("since", "Recorded at this instant or later.")
UNTIL = _instant("until", "Recorded at this instant or earlier.")
AFTER = Parameter("after", "Start after this position.", _POSITION_SCHEMA, parse_position, example=0)
LAST_EVENT_ID = Parameter(
    "Last-Event-ID",
    "The id of the last event received; the stream resumes after it. Takes precedence over `after`.",
    _POSITION_SCHEMA,
    parse_position,
    location="header",
    example=0,
)
BUCKET: Parameter[Bucket] = Parameter(
    "bucket",
    "The width of a bucket.",
    {"type": "string", "enum": list(BUCKETS), "default": "hour"},
    _one_of(BUCKETS),
    example="hour",
)
WINDOW_SINCE = _instant("since", "Start, rounded down to a whole bucket. Default: 24 buckets before `until`.")
WINDOW_UNTIL = _instant("until", "End, rounded up to a whole bucket. Default: now.")
