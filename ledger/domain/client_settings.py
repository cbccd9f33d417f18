"""The rules a client registration must keep; each refusal names the field."""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import get_args

from ledger.domain.errors import InvalidRegistration
from ledger.domain.events import ClientSettings, IntrospectionPolicy, TokenFormat
from ledger.domain.scope import is_scope_token

SUPPORTED_GRANT_TYPES = frozenset({"client_credentials"})
LONGEST_LIFETIME = 10 * 365 * 24 * 3600
LONGEST_NAME = 255

_VISIBLE = re.compile(r"[\x21-\x7E]{1,255}")


def check_client_id(client_id: str) -> None:
    """A client id is 1 to 255 visible ASCII characters (RFC 6749 appendix A.1, without the space)."""
    if _VISIBLE.fullmatch(client_id) is None:
        msg = f"client_id {client_id!r}: must be 1 to 255 visible ASCII characters without spaces"
        raise InvalidRegistration(msg)


def check_settings(settings: ClientSettings) -> None:
    """Raises InvalidRegistration naming the first field that cannot be accepted."""
    for problem in _problems(settings):
        raise InvalidRegistration(problem)


def _problems(settings: ClientSettings) -> Iterator[str]:
    if not settings.name.strip() or len(settings.name) > LONGEST_NAME or not settings.name.isprintable():
        yield f"name: must be 1 to {LONGEST_NAME} printable characters"
    yield from _unsupported(settings)
    for field, values in (("scopes", settings.scopes), ("default_scopes", settings.default_scopes)):
        for malformed in (s for s in values if not is_scope_token(s)):
            yield f"{field}: {malformed!r} is not a scope token (RFC 6749 §3.3)"
    for beyond in (s for s in settings.default_scopes if s not in settings.scopes):
        yield f"default_scopes: {beyond!r} is not among the client's scopes"
    for malformed in (a for a in settings.audience if _VISIBLE.fullmatch(a) is None):
        yield f"audience: {malformed!r} must be 1 to 255 visible ASCII characters without spaces"
    if not 1 <= settings.access_token_lifetime <= LONGEST_LIFETIME:
        yield f"access_token_lifetime: must be 1 to {LONGEST_LIFETIME} seconds, got {settings.access_token_lifetime}"
    for field in ("grant_types", "scopes", "default_scopes", "audience"):
        values = getattr(settings, field)
        if len(set(values)) != len(values):
            yield f"{field}: a value is listed twice"


def _unsupported(settings: ClientSettings) -> Iterator[str]:
    # The types promise this too, but what breaks that promise would be recorded and could never be read again.
    closed: tuple[tuple[str, Sequence[str], Collection[str]], ...] = (
        ("grant_types", settings.grant_types, SUPPORTED_GRANT_TYPES),
        ("token_format", (settings.token_format,), get_args(TokenFormat)),
        ("introspection", (settings.introspection,), get_args(IntrospectionPolicy)),
    )
    for field, values, known in closed:
        for unknown in (value for value in values if value not in known):
            yield f"{field}: {unknown!r} is not supported; known are {', '.join(sorted(known))}"
