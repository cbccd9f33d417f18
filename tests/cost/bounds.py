"""What a request may cost, as numbers that do not depend on how fast a machine is.

A bound is the cost of today. Whoever makes something cheaper lowers it in the same change; whoever has to raise it says
why in the commit. `.venv/bin/pytest tests/cost -q` prints what everything costs now beside its bound.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bound:
    """A cost that was measured, and how far a measurement may be from it: below, as a part of it, and above."""

    what: str
    cost: float
    why: str
    below: float = 0.0
    above: float = 0.0

    @property
    def most(self) -> float:
        return self.cost * (1 + self.above)

    @property
    def least(self) -> float:
        return self.cost * (1 - self.below)

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

TRANSACTION = "BEGIN with the head lock, the stand of the streams, the events, the view, COMMIT"

AUTHENTICATIONS = Bound("queries of 64 authentications", 1, "the clients are read")
INTROSPECTION = Bound("queries of an introspection", 2, "the client and the token are read")
INTROSPECTIONS = Bound("queries of 64 introspections", 1, "the tokens are read")
ISSUANCE = Bound("queries of an issuance", 6, f"the client is read; {TRANSACTION}")
ISSUANCE_WAITS = Bound("round trips of an issuance", 6, "each of its queries is waited for")
ISSUANCES = Bound("queries of 64 issuances", 5, TRANSACTION)
ISSUANCES_WAITS = Bound("round trips of 64 issuances", 5, "each of the queries is waited for")
REVOCATION = Bound("queries of a revocation", 8, f"client, token and grant are read; {TRANSACTION}")
REVOCATION_WAITS = Bound("round trips of a revocation", 8, "each of its queries is waited for")

# Grants are read one by one, over four connections, and a transaction takes those that were read while the one before it
# committed: how many there are is left to chance.
REVOCATIONS = Bound("queries of 64 revocations", 90, "the tokens and 64 grants are read; a few transactions", 0.25)
