"""Authenticate auditors by an access token of the same issuer, in the Authorization header only (RFC 6750 §2.1)."""

import re
from collections.abc import Mapping, Sequence

from api.http.audit.problems import AUDIT_SCOPE
from api.http.errors import INSUFFICIENT_SCOPE, INVALID_REQUEST, INVALID_TOKEN, NOT_AUTHENTICATED, RequestError
from ledger.use_cases.introspection import TokenIntrospection
from ledger.use_cases.ports import ActiveToken

TOKEN_PARAMETERS = ("access_token", "token")
"""Query parameters that may carry a token by mistake (RFC 6750 §5.3)."""

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


class Bearer:
    """An authenticated auditor."""

    def __init__(self, introspection: TokenIntrospection, token: str, found: ActiveToken) -> None:
        self._introspection = introspection
        self._token = token
        self.client_id = found.client_id
        self.jti = found.jti

    async def is_still_active(self) -> bool:
        """Whether the token is still active; long responses check it repeatedly. Raises Unavailable."""
        return await self._introspection.find_active_token(self._token) is not None


def reject_tokens_in_url(query: Mapping[str, str]) -> None:
    """Raise RequestError (400) for a token in the URL: proxies, browsers and logs keep URLs."""
    for name in TOKEN_PARAMETERS:
        if name in query:
            message = "A token must never be sent in a URL. If this one is real, revoke it."
            raise RequestError(INVALID_REQUEST, message, parameter=name)


async def authenticate(introspection: TokenIntrospection, authorization: Sequence[str]) -> Bearer:
    """Authenticate an active token with the scope audit.read.

    Raises RequestError (RFC 6750 §3.1) or Unavailable.
    """
    token = _read_token(authorization)
    found = await introspection.find_active_token(token)
    if found is None:
        raise RequestError(INVALID_TOKEN)
    if AUDIT_SCOPE not in found.scope.split(" "):
        raise RequestError(INSUFFICIENT_SCOPE, f"The access token lacks the scope {AUDIT_SCOPE}.")
    return Bearer(introspection, token, found)


def _read_token(authorization: Sequence[str]) -> str:
    if len(authorization) > 1:
        raise RequestError(INVALID_REQUEST, "The Authorization header is repeated.")
    scheme, _, token = authorization[0].partition(" ") if authorization else ("", "", "")
    if scheme.lower() != "bearer":
        raise RequestError(NOT_AUTHENTICATED)
    token = token.strip(" ")
    if _TOKEN.fullmatch(token) is None:
        raise RequestError(INVALID_REQUEST, "The Authorization header is malformed (RFC 6750 2.1).")
    return token
