"""Scope values: RFC 6749 §3.3."""

import re
from collections.abc import Iterable
from functools import lru_cache

from ledger.domain.errors import InvalidScope

_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")

Scope = tuple[str, ...]


def is_scope_token(value: str) -> bool:
    """Whether value is one scope-token: printable ASCII except space, double quote and backslash."""
    return _SCOPE_TOKEN.fullmatch(value) is not None


@lru_cache(maxsize=1024)
def parse_scope(value: str) -> Scope:
    """Parse a scope parameter: scope-tokens separated by single spaces, in the order sent, without repetitions.

    Raises InvalidScope. The results are cached because clients request the same scopes again and again.
    """
    tokens = value.split(" ")
    if not all(map(is_scope_token, tokens)):
        msg = "The scope is malformed: it takes scope tokens of printable ASCII, separated by single spaces."
        raise InvalidScope(msg)
    return tuple(dict.fromkeys(tokens))


def format_scope(scope: Iterable[str]) -> str:
    """Format a scope as the space-delimited value of a response."""
    return " ".join(scope)
