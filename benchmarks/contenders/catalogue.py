"""Every contender by name.

A contender is a package or module of this folder with its name (`_` for `-`) and the attribute `CONTENDER`. It is
imported on demand, so that an import error affects no other contender.
"""

from importlib import import_module

from benchmarks.contenders.contender import Contender
from benchmarks.errors import ContenderUnavailable

OURS = "token-ledger"

PEERS = ("node-oidc-provider", "hydra", "spring-authorization-server", "keycloak", "django-oauth-toolkit")
"""In the order of the reports."""

NAMES = (OURS, *PEERS)


def load_contender(name: str) -> Contender:
    """Raises ContenderUnavailable when it cannot be imported, and ValueError for an unknown name."""
    if name not in NAMES:
        msg = f"{name!r} is not one of {', '.join(NAMES)}"
        raise ValueError(msg)
    try:
        found: Contender = import_module(f"benchmarks.contenders.{name.replace('-', '_')}").CONTENDER
    except ImportError as error:
        msg = f"{name} cannot be imported: {error}"
        raise ContenderUnavailable(msg) from error
    return found
