"""What a request may cost, as numbers that do not depend on how fast a machine is.

A bound is the cost of today. Whoever makes something cheaper lowers it in the same change; whoever has to raise it says
why in the commit. `.venv/bin/pytest tests/cost -q` prints what everything costs now beside its bound.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bound:
    """A cost that was measured, and how far a measurement may be from it, as a part of it; `slack` is in its unit."""

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
        """What is wrong with a measurement, None when nothing is."""
        if measured > self.most:
            return (
                f"{self.what}: {measured:,.6g}, {measured - self.cost:,.6g} more than the {self.cost:,.6g} that are "
                f"accounted for: {self.why}. Find what grew; if it has to be, raise the bound and say why."
            )
        if measured < self.least:
            return (
                f"{self.what}: {measured:,.6g} instead of {self.cost:,.6g}. Good: lower the bound to it, so that it "
                "stays so."
            )
        return None


# Queries, and how often the database is waited for: exactly, as nothing of it is left to chance.

AT_ONCE = "events and view are written in one statement"

AUTHENTICATIONS = Bound("queries of 64 authentications", 1, "the clients are read")
INTROSPECTION = Bound("queries of an introspection", 1, "the client and the token are read together")
INTROSPECTIONS = Bound("queries of 64 introspections", 1, "the tokens are read")
ISSUANCE = Bound("queries of an issuance", 2, f"the client is read; {AT_ONCE}")
ISSUANCE_WAITS = Bound("round trips of an issuance", 2, "each of its queries is waited for")
ISSUANCES = Bound("queries of 64 issuances", 1, AT_ONCE)
ISSUANCES_WAITS = Bound("round trips of 64 issuances", 1, "each of the queries is waited for")
REVOCATION = Bound("queries of a revocation", 4, f"client, token and grant are read; {AT_ONCE}")
REVOCATION_WAITS = Bound("round trips of a revocation", 4, "each of its queries is waited for")

REVOCATIONS = Bound("queries of 64 revocations", 3, f"the tokens and the grants are read; {AT_ONCE}")

# Bytes: of a payload exactly, of tables by whole pages, of the write-ahead log less when pages split another way.

PAYLOADS = {
    topic: Bound(f"bytes of a payload of {topic}", cost, "names of fields and values, a digest as base64")
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
BESIDE_THE_PAYLOAD = Bound("bytes of a row of token.issued beside its payload", 145, "where, when, who, from where")

PAGES = 0.02
TABLES = {
    table: (
        Bound(f"bytes of {table}, by token", rows, "its columns, and the header of a row", PAGES, PAGES),
        Bound(f"bytes of the indexes of {table}, by token", indexes, "their keys", PAGES, PAGES),
    )
    for table, rows, indexes in (
        ("event_log", 560, 203),
        ("active_tokens", 192, 57),
        ("token_history", 335, 239),
    )
}
"""With one token in twenty revoked, when all were written at once."""

WAL_OF_AN_ISSUANCE = Bound(
    "bytes of WAL of an issuance, one of 64", 1140, "an event, its row in the view, five indexes", 0.05, 0.05
)
WAL_OF_A_REVOCATION = Bound(
    "bytes of WAL of a revocation, one of 64", 780, "an event, four indexes, a row deleted from the view", 0.05, 0.05
)

# Work of the process. Other versions of Python and of the libraries make some calls more or less.

OTHER_VERSIONS = 0.05
CALLS = {
    kind: Bound(
        f"calls in the process for {kind}",
        cost,
        "of Python functions, and of built-in ones by them",
        0.1,
        OTHER_VERSIONS,
    )
    for kind, cost in {"introspect": 313, "issue": 674, "revoke": 732}.items()
}

MEMORY = {
    kind: Bound(f"blocks of memory that are left by {kind}", 0, "nothing of a request is kept", slack=0.5)
    for kind in ("introspect", "issue", "revoke")
}
"""Timers that were cancelled are swept out by the hundred, so some are left or gone. A leak is one block or more."""
