"""Every contender by name.

A contender is a package or module of this folder, called as it is with `_` for `-`, that has a `CONTENDER`. It is
imported when it is asked for, so that one which cannot be imported disturbs no other.
"""

from importlib import import_module

from benchmarks.contenders.contender import CannotHave, Contender

OURS = "token-ledger"

PEERS = ("node-oidc-provider", "hydra", "spring-authorization-server", "keycloak", "django-oauth-toolkit")
"""In the order in which reports show them."""

NAMES = (OURS, *PEERS)


def contender(name: str) -> Contender:
    """Raises CannotHave when it cannot be imported, and ValueError when there is none of that name."""
    if name not in NAMES:
        msg = f"{name!r} is no contender; there are {', '.join(NAMES)}"
        raise ValueError(msg)
    try:
        found: Contender = import_module(f"benchmarks.contenders.{name.replace('-', '_')}").CONTENDER
    except ImportError as error:
        msg = f"{name} cannot be imported: {error}"
        raise CannotHave(msg) from error
    return found
