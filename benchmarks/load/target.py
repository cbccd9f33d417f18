"""A running contender and the tokens that requests to it are about."""

import secrets
from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from random import Random

from benchmarks.contenders.contender import RunningContender
from benchmarks.load.request import Request, form_request

MIX_REQUESTS = 50_000
"""Introspections of a mix, which are prepared and then repeated."""

KNOWN_SHARE = 0.9
SEED = 5
ZIPF_EXPONENT = 1.0
"""The second most popular token is requested half as often as the first, the tenth a tenth as often."""


@dataclass(frozen=True)
class KnownTokens:
    """Tokens of a contender: `token` returns one of `count` by its number."""

    count: int
    token: Callable[[int], str]
    live: str
    revoked: str

    def unknown(self) -> str:
        """Return a random token of the same length that the contender never issued."""
        return secrets.token_urlsafe(len(self.live))[: len(self.live)]


@dataclass(frozen=True)
class LoadTarget:
    """`accepts_any_token`: the target does not store tokens, so the same token can be revoked many times."""

    name: str
    processes: int
    running: RunningContender
    tokens: KnownTokens
    accepts_any_token: bool = False

    @cached_property
    def introspections(self) -> Sequence[Request]:
        """A mix of known tokens, chosen by Zipf's law, and unknown tokens."""
        random = Random(SEED)  # noqa: S311 (not for security)
        tokens, built = self.tokens, dict[int, Request]()
        for number in (numbers := _mix_numbers(tokens.count)):
            if number not in built:
                built[number] = form_request(self.running.introspect(tokens.token(number)))
        return [
            built[number] if random.random() < KNOWN_SHARE else form_request(self.running.introspect(tokens.unknown()))
            for number in numbers
        ]


@lru_cache(maxsize=2)
def _mix_numbers(population: int) -> Sequence[int]:
    return choose_by_zipf(population, MIX_REQUESTS, Random(SEED))  # noqa: S311 (not for security)


def choose_by_zipf(population: int, count: int, random: Random) -> list[int]:
    """Choose `count` numbers below `population` by Zipf's law. The popular numbers are spread randomly."""
    weights = list(accumulate(1 / (rank + 1) ** ZIPF_EXPONENT for rank in range(population)))
    popular = list(range(population))
    random.shuffle(popular)
    return [popular[bisect(weights, random.random() * weights[-1])] for _ in range(count)]
