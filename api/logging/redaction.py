"""Masks secrets in log lines. No code logs secrets on purpose; this is defence in depth."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

REDACTED = "[redacted]"

SECRET_KEYS = frozenset(
    {
        "access_token",
        "authorization",
        "client_assertion",
        "client_secret",
        "cookie",
        "credentials",
        "form",
        "headers",
        "passwd",
        "password",
        "proxy_authorization",
        "query_string",
        "refresh_token",
        "secret",
        "set_cookie",
        "token",
    }
)

is_plain = re.compile(r"[A-Za-z0-9_.-]{0,127}").fullmatch
"""Fast check that most values pass: such text contains no secret. Other text needs the masks."""

_PARAMETER = "access_token|refresh_token|client_secret|client_assertion|password|passwd|pgpassword|secret|token"
_MASKS: tuple[tuple[re.Pattern[str], str], ...] = (
    # The password in a URL such as postgresql://user:password@host. It ends at the last @, so all of it is masked.
    (re.compile(r"(?<=://)([^\s:/@]*):[^\s]+@"), rf"\1:{REDACTED}@"),
    # Credentials of an Authorization header.
    (re.compile(r"\b(basic|bearer)\s+[A-Za-z0-9+/=._~-]{8,}", re.IGNORECASE), rf"\1 {REDACTED}"),
    # A parameter of a form, query string or DSN, or an entry of a printed dict or JSON object.
    (
        re.compile(rf"\b({_PARAMETER})(\s*=\s*|['\"]\s*:\s*['\"])[^\s&'\",;)]+", re.IGNORECASE),
        rf"\1\2{REDACTED}",
    ),
    # An access token: at least 128 base64url characters.
    (re.compile(r"[A-Za-z0-9_-]{128,}"), REDACTED),
)


@lru_cache(maxsize=1024)
def find_secret_keys(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Return the keys whose values are always masked. Cached, because log lines have few different sets of keys."""
    return tuple(key for key in keys if is_secret_key(key))


def is_secret_key(key: str) -> bool:
    """Return whether every value of this key is masked."""
    return key.lower().replace("-", "_") in SECRET_KEYS


def redact_text(text: str) -> str:
    """Mask credentials in URLs, parameters and headers, and everything that looks like a token."""
    if is_plain(text):
        return text
    for pattern, replacement in _MASKS:
        text = pattern.sub(replacement, text)
    return text


def redact(value: Any, key: str | None = None) -> Any:
    """Mask secrets at any depth of dicts, lists and tuples; `key` is the name of the value in the log line."""
    if key is not None and is_secret_key(key):
        return REDACTED
    if isinstance(value, str):
        return redact_text(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {redact_text(str(name)): redact(entry, str(name)) for name, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(entry) for entry in value]
    return redact_text(value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value))
