"""Commands to an issuer, as data. A sequence of them is one example, which Hypothesis can shrink."""

from hypothesis import strategies as st
from msgspec import Struct

OWNERS = ("shop", "depot")
"""The clients that request tokens."""


class Issue(Struct, frozen=True):
    """Authenticate with one of the secrets the client ever had, then request a token."""

    client: str
    scope: tuple[str, ...] | None
    secret: int


class Revoke(Struct, frozen=True):
    """Revoke one of the tokens issued so far, as this client or, without one, as an operator."""

    token: int
    client: str | None


class SetEnabled(Struct, frozen=True):
    client: str
    enabled: bool


class ChangeLifetime(Struct, frozen=True):
    client: str
    seconds: int


class AddSecret(Struct, frozen=True):
    client: str
    lasts: int | None


class RetireSecret(Struct, frozen=True):
    client: str
    secret: int
    after: int


class Advance(Struct, frozen=True):
    """Move the clock, also a little backwards."""

    seconds: float


class AdvanceToExpiry(Struct, frozen=True):
    """Set the clock to the expiry of a token, plus an offset in seconds."""

    token: int
    offset: float


class Together(Struct, frozen=True):
    """Run these concurrently. Their writes are held back until they form one batch."""

    commands: tuple[Issue | Revoke | SetEnabled, ...]


Command = Issue | Revoke | SetEnabled | ChangeLifetime | AddSecret | RetireSecret | Advance | AdvanceToExpiry | Together


def draw_weighted(*weighted: tuple[int, st.SearchStrategy]) -> st.SearchStrategy:
    """Draw from these strategies in proportion to their weights; one_of would draw evenly."""
    return st.sampled_from([strategy for weight, strategy in weighted for _ in range(weight)]).flatmap(lambda one: one)


clients = st.sampled_from(OWNERS)
indexes = st.integers(0, 7)
scopes = draw_weighted((6, st.sampled_from([None, (), ("read",), ("write", "read")])), (1, st.just(("admin",))))
secrets = draw_weighted((6, st.just(0)), (1, indexes))

issues = st.builds(Issue, clients, scopes, secrets)
revocations = draw_weighted((2, st.builds(Revoke, indexes, clients)), (1, st.builds(Revoke, indexes, st.none())))
concurrent = draw_weighted((3, issues), (5, revocations), (1, st.builds(SetEnabled, clients, st.just(value=False))))

# Examples shrink to the first alternative: a clock that does not move.
commands = draw_weighted(
    (2, st.builds(Advance, st.sampled_from([0.0, 0.5, 1.0, 29.5, 30.0, 60.0, 61.0, -5.0]))),
    (2, st.builds(AdvanceToExpiry, indexes, st.sampled_from([-0.5, 0.0, 0.5]))),
    (6, issues),
    (3, revocations),
    (6, st.builds(Together, st.lists(concurrent, min_size=2, max_size=6).map(tuple))),
    (1, st.builds(SetEnabled, clients, st.just(value=False))),
    (3, st.builds(SetEnabled, clients, st.just(value=True))),
    (1, st.builds(ChangeLifetime, clients, st.sampled_from([1, 30, 60, 90]))),
    (1, st.builds(AddSecret, clients, st.sampled_from([None, 1, 30]))),
    (1, st.builds(RetireSecret, clients, indexes, st.sampled_from([30, 0]))),
)

sequences = st.lists(commands, min_size=12, max_size=24)
