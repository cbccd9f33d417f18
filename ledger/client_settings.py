"""The rules a client registration must keep; each refusal names the field."""

import re

from ledger.errors import InvalidRegistration
from ledger.events import ClientSettings
from ledger.scope import is_scope_token

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
    if not settings.name.strip() or len(settings.name) > LONGEST_NAME or not settings.name.isprintable():
        msg = f"name: must be 1 to {LONGEST_NAME} printable characters"
        raise InvalidRegistration(msg)
    unknown = [g for g in settings.grant_types if g not in SUPPORTED_GRANT_TYPES]
    if unknown:
        msg = f"grant_types: {unknown[0]!r} is not supported; known are {', '.join(sorted(SUPPORTED_GRANT_TYPES))}"
        raise InvalidRegistration(msg)
    for field, values in (("scopes", settings.scopes), ("default_scopes", settings.default_scopes)):
        malformed = [s for s in values if not is_scope_token(s)]
        if malformed:
            msg = f"{field}: {malformed[0]!r} is not a scope token (RFC 6749 §3.3)"
            raise InvalidRegistration(msg)
    beyond = [s for s in settings.default_scopes if s not in settings.scopes]
    if beyond:
        msg = f"default_scopes: {beyond[0]!r} is not among the client's scopes"
        raise InvalidRegistration(msg)
    malformed = [a for a in settings.audience if _VISIBLE.fullmatch(a) is None]
    if malformed:
        msg = f"audience: {malformed[0]!r} must be 1 to 255 visible ASCII characters without spaces"
        raise InvalidRegistration(msg)
    if not 1 <= settings.access_token_lifetime <= LONGEST_LIFETIME:
        msg = f"access_token_lifetime: must be 1 to {LONGEST_LIFETIME} seconds, got {settings.access_token_lifetime}"
        raise InvalidRegistration(msg)
    for field in ("grant_types", "scopes", "default_scopes", "audience"):
        values = getattr(settings, field)
        if len(set(values)) != len(values):
            msg = f"{field}: a value is listed twice"
            raise InvalidRegistration(msg)
