"""Who asks: an access token of this very issuer, in the Authorization header (RFC 6750 §2.1) and nowhere else."""

import re
from collections.abc import Mapping, Sequence

from api.http.audit.problems import AUDIT_SCOPE
from api.http.errors import INSUFFICIENT_SCOPE, INVALID_REQUEST, INVALID_TOKEN, NOT_AUTHENTICATED, RequestError
from ledger.use_cases.introspection import TokenIntrospection
from ledger.use_cases.ports import ActiveToken

TOKENS_IN_URLS = ("access_token", "token")
"""Query parameters in which a token might be sent, and never may (RFC 6750 §5.3)."""

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


class Bearer:
    """Whoever presents a token. `still_there` is for answers that take longer than a moment."""

    def __init__(self, introspection: TokenIntrospection, token: str, found: ActiveToken) -> None:
        self._introspection = introspection
        self._token = token
        self.client_id = found.client_id
        self.jti = found.jti

    async def still_there(self) -> bool:
        """Whether the token is active now. Raises Unavailable."""
        return await self._introspection.find_active_token(self._token) is not None


def refuse_tokens_in_url(query: Mapping[str, str]) -> None:
    """Raises RequestError (400): what is in a URL is written down by whatever the request passes."""
    for name in TOKENS_IN_URLS:
        if name in query:
            message = "A token must never be in a URL. Revoke this one if it was real."
            raise RequestError(INVALID_REQUEST, message, parameter=name)


async def authenticate(introspection: TokenIntrospection, authorization: Sequence[str]) -> Bearer:
    """Whoever presents a token that is active now and has the scope audit.read.

    Raises RequestError (RFC 6750 §3.1) or Unavailable.
    """
    token = _read(authorization)
    found = await introspection.find_active_token(token)
    if found is None:
        raise RequestError(INVALID_TOKEN)
    if AUDIT_SCOPE not in found.scope.split(" "):
        raise RequestError(INSUFFICIENT_SCOPE, f"The access token lacks the scope {AUDIT_SCOPE}.")
    return Bearer(introspection, token, found)


def _read(authorization: Sequence[str]) -> str:
    if len(authorization) > 1:
        raise RequestError(INVALID_REQUEST, "The Authorization header is given more than once.")
    scheme, _, token = authorization[0].partition(" ") if authorization else ("", "", "")
    if scheme.lower() != "bearer":
        raise RequestError(NOT_AUTHENTICATED)
    token = token.strip(" ")
    if _TOKEN.fullmatch(token) is None:
        raise RequestError(INVALID_REQUEST, "The Authorization header is malformed (RFC 6750 2.1).")
    return token
