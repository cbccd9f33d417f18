"""Bounds on the cost of requests, in units that do not depend on the speed of the machine.

A bound is the current cost. A change that lowers a cost also lowers its bound; a change that must raise a bound gives
the reason in its commit message. `.venv/bin/pytest tests/cost -q` prints every current cost with its bound.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bound:
    """A measured cost and its tolerance: `below` and `above` are fractions of the cost, `slack` has its unit."""

    what: str
    cost: float
    why: str
    below: float = 0.0
    above: float = 0.0
    slack: float = 0.0

    @property
    def most(self) -> float:
        return self.cost * (1 + self.above) + self.slack

    @property
    def least(self) -> float:
        return self.cost * (1 - self.below) - self.slack

    def problem(self, measured: float) -> str | None:
        """Return why a measurement is out of bounds; None when it is not."""
        if measured > self.most:
            return (
                f"{self.what}: {measured:,.6g}, which is {measured - self.cost:,.6g} more than {self.cost:,.6g} "
                f"({self.why}). Find what grew. If it must grow, raise the bound and say why."
            )
        if measured < self.least:
            return f"{self.what}: {measured:,.6g} instead of {self.cost:,.6g}. Lower the bound, so that it stays lower."
        return None


# Queries and round trips to the database. These numbers are exact.

ONE_STATEMENT = "one call of append_events writes the events and the view"

AUTHENTICATIONS = Bound("queries of 64 authentications", 1, "one reads the clients")
INTROSPECTION = Bound("queries of an introspection", 1, "it reads the client and the token")
INTROSPECTIONS = Bound("queries of 64 introspections", 1, "it reads the tokens")
ISSUANCE = Bound("queries of an issuance", 2, f"one reads the client; {ONE_STATEMENT}")
ISSUANCE_WAITS = Bound("round trips of an issuance", 2, "one for each query")
ISSUANCES = Bound("queries of 64 issuances", 1, ONE_STATEMENT)
ISSUANCES_WAITS = Bound("round trips of 64 issuances", 1, "one for each query")
REVOCATION = Bound("queries of a revocation", 4, f"three read client, token and grant; {ONE_STATEMENT}")
REVOCATION_WAITS = Bound("round trips of a revocation", 4, "one for each query")

REVOCATIONS = Bound("queries of 64 revocations", 3, f"two read the tokens and the grants; {ONE_STATEMENT}")

# Bytes. Payloads are exact; tables grow by whole pages; the write-ahead log varies with page splits.

PAYLOADS = {
    topic: Bound(f"bytes of a payload of {topic}", cost, "field names and values, with the digest as base64")
    for topic, cost in {
        "token.issued": 328,
        "token.revoked": 197,
        "client.registered": 347,
        "client.updated": 345,
        "client.secret_added": 206,
        "client.secret_retired": 87,
        "client.disabled": 83,
        "client.enabled": 64,
    }.items()
}
ROW_OVERHEAD = Bound(
    "bytes of a row of token.issued without its payload",
    170,
    "position, time, stream, actor, request, address, and the salt for erasure",
)

PAGE_TOLERANCE = 0.02
TABLES = {
    table: (
        Bound(f"bytes of {table} per token", rows, "columns and row header", PAGE_TOLERANCE, PAGE_TOLERANCE),
        Bound(f"bytes of the indexes of {table} per token", indexes, "their keys", PAGE_TOLERANCE, PAGE_TOLERANCE),
    )
    for table, rows, indexes in (
        ("event_log", 577, 77),
        ("event_index", 86, 125),
        ("active_tokens", 192, 57),
        ("token_history", 335, 239),
    )
}
"""One token in twenty is revoked; all were written in one go."""

WAL_OF_AN_ISSUANCE = Bound(
    "bytes of WAL per issuance, in a batch of 64",
    981,
    "an event with its salt, its row in the view, three indexes",
    0.05,
    0.05,
)
WAL_OF_A_REVOCATION = Bound(
    "bytes of WAL per revocation, in a batch of 64",
    613,
    "an event with its salt, two indexes, a row deleted from the view",
    0.05,
    0.05,
)

# Work of the process. Other versions of Python and of the libraries make slightly more or fewer calls.

VERSION_TOLERANCE = 0.05
CALLS = {
    kind: Bound(
        f"calls per request to {kind}",
        cost,
        "calls of Python functions, and of built-in functions by them",
        0.1,
        VERSION_TOLERANCE,
    )
    for kind, cost in {"introspect": 305, "issue": 622, "revoke": 746}.items()
}

MEMORY = {
    kind: Bound(f"memory blocks left per request to {kind}", 0, "a request leaves nothing behind", slack=0.5)
    for kind in ("introspect", "issue", "revoke")
}
"""The event loop removes cancelled timers by the hundred, hence the slack. A leak is at least one block."""
