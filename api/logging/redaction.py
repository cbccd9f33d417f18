"""Defence in depth for logs: no code logs a secret on purpose, and if some does after all, it is masked here."""

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

needs_no_mask = re.compile(r"[A-Za-z0-9_.-]{0,127}").fullmatch
"""The quick answer for most of what is logged; None only means that one has to look."""

_PARAMETER = "access_token|refresh_token|client_secret|client_assertion|password|passwd|pgpassword|secret|token"
_MASKS: tuple[tuple[re.Pattern[str], str], ...] = (
    # The password of a URL: postgresql://user:password@host, up to the last @ so that none of it is left over.
    (re.compile(r"(?<=://)([^\s:/@]*):[^\s]+@"), rf"\1:{REDACTED}@"),
    # A header with credentials, as text.
    (re.compile(r"\b(basic|bearer)\s+[A-Za-z0-9+/=._~-]{8,}", re.IGNORECASE), rf"\1 {REDACTED}"),
    # A parameter of a form, a query string or a DSN, or an entry of a printed dict or JSON object.
    (
        re.compile(rf"\b({_PARAMETER})(\s*=\s*|['\"]\s*:\s*['\"])[^\s&'\",;)]+", re.IGNORECASE),
        rf"\1\2{REDACTED}",
    ),
    # An access token anywhere: 128 characters of base64url or more.
    (re.compile(r"[A-Za-z0-9_-]{128,}"), REDACTED),
)


@lru_cache(maxsize=1024)
def secret_keys_among(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the keys under which everything is masked. Remembered, because log lines come in few shapes."""
    return tuple(key for key in keys if is_secret_key(key))


def is_secret_key(key: str) -> bool:
    """Whether what is logged under this name is masked whatever it is."""
    return key.lower().replace("-", "_") in SECRET_KEYS


def redact_text(text: str) -> str:
    """The text with credentials in URLs, parameters, headers, and whatever looks like a token, masked."""
    if needs_no_mask(text):
        return text
    for pattern, replacement in _MASKS:
        text = pattern.sub(replacement, text)
    return text


def redact(value: Any, key: str | None = None) -> Any:
    """The value with secrets masked, at any depth of dicts, lists and tuples; `key` is the name it is logged under."""
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
