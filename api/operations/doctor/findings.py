"""What an examination finds."""

from typing import Literal

import asyncpg
from msgspec import Struct

from ledger.use_cases.issuer import IssuerIdentifier

Level = Literal["ok", "warning", "problem"]

Connection = asyncpg.Connection


class Finding(Struct, frozen=True):
    """The outcome of one check; `advice` is what to do, empty when all is well."""

    check: str
    level: Level
    found: str
    advice: str = ""


class Patient(Struct, frozen=True):
    """What is examined: a database through the service's role, and what the service intends with it."""

    connection: "Connection[asyncpg.Record]"
    issuers: tuple[IssuerIdentifier, ...]
    head_revision: str
    connections_wanted: int


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check, "ok", found)


def warning(check: str, found: str, advice: str) -> Finding:
    """The service runs, but not as one should want it to."""
    return Finding(check, "warning", found, advice)


def problem(check: str, found: str, advice: str) -> Finding:
    """The service does not run, or something it promises does not hold."""
    return Finding(check, "problem", found, advice)
