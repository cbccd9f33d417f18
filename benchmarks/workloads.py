"""What is measured: each workload as the requests it sends, and what it has to reach."""

import random
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from benchmarks.processes import PATH

TOKEN, INTROSPECT, REVOKE = (f"{PATH}/oauth2/{name}" for name in ("token", "introspect", "revoke"))

CLIENT = {"client_id": "user-client-opaque", "client_secret": "user-client-secret"}
RESOURCE_SERVER = {"client_id": "service-client-jwt", "client_secret": "service-client-jwt-secret"}
ISSUE = {"grant_type": "client_credentials", **CLIENT, "scope": "country.read customer.read customer.write"}

UNKNOWN_SHARE = 0.1


@dataclass(frozen=True)
class Workload:
    """`bodies` are made of live tokens. `target` is the least ratio to the empty handler's rate, where one is set.

    `once` says that a body means something the first time only, so that every run needs new tokens.
    """

    name: str
    path: str
    bodies: Callable[[Sequence[str]], Sequence[str]]
    target: float | None = None
    once: bool = False


def _issue(_tokens: Sequence[str]) -> Sequence[str]:
    return [urlencode(ISSUE)]


def _introspect_one(tokens: Sequence[str]) -> Sequence[str]:
    return [urlencode({**RESOURCE_SERVER, "token": tokens[0]})]


def _introspect_many(tokens: Sequence[str]) -> Sequence[str]:
    unknown = [secrets.token_urlsafe(96) for _ in range(round(len(tokens) * UNKNOWN_SHARE / (1 - UNKNOWN_SHARE)))]
    asked = [*tokens, *unknown]
    random.Random(0).shuffle(asked)  # noqa: S311 (an order, not a secret)
    return [urlencode({**RESOURCE_SERVER, "token": token}) for token in asked]


def _revoke(tokens: Sequence[str]) -> Sequence[str]:
    return [urlencode({**CLIENT, "token": token}) for token in tokens]


WORKLOADS = (
    Workload("introspect-one", INTROSPECT, _introspect_one, target=0.7),
    Workload("introspect-many", INTROSPECT, _introspect_many, target=0.7),
    Workload("issue", TOKEN, _issue, target=0.45),
    Workload("revoke", REVOKE, _revoke, once=True),
)
"""One live token; many tokens, one in ten unknown; issuance; revocation of a new token each time."""
