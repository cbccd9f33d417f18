"""The input and the result of a check."""

from typing import Literal

import asyncpg  # noqa: TC002 (msgspec resolves the annotation)
from msgspec import Struct

from ledger.use_cases.issuer import IssuerIdentifier

Level = Literal["ok", "warning", "problem"]


class CheckResult(Struct, frozen=True):
    """The result of one check; `advice` says how to fix it and is empty if nothing is wrong."""

    check: str
    level: Level
    found: str
    advice: str = ""


class CheckContext(Struct, frozen=True):
    """A connection as the service's role, and the configuration of the service."""

    connection: "asyncpg.Connection[asyncpg.Record]"
    issuers: tuple[IssuerIdentifier, ...]
    head_revision: str
    connections_needed: int


def ok(check: str, found: str) -> CheckResult:
    """Nothing is wrong."""
    return CheckResult(check, "ok", found)


def warning(check: str, found: str, advice: str) -> CheckResult:
    """The service works, but not as well as it should."""
    return CheckResult(check, "warning", found, advice)


def problem(check: str, found: str, advice: str) -> CheckResult:
    """The service does not work, or breaks one of its guarantees."""
    return CheckResult(check, "problem", found, advice)
