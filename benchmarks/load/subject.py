"""A contender that runs, and the tokens that it is asked about."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from random import Random

from benchmarks.contenders.contender import Running
from benchmarks.load.request import Request, posted
from benchmarks.load.zipf import zipf_choices

CHOICES = 50_000
"""Introspections of a mix that are made beforehand and sent round and round."""

KNOWN_SHARE = 0.9
SEED = 5


@dataclass(frozen=True)
class Asked:
    """The tokens that a contender is asked about. `token` gives one of `known` by its number."""

    known: int
    token: Callable[[int], str]
    live: str
    revoked: str

    def unknown(self) -> str:
        """A token that nobody has, as long as those that somebody has."""
        return secrets.token_urlsafe(len(self.live))[: len(self.live)]


@dataclass(frozen=True)
class Subject:
    """`forgets` says that it does not know its own tokens, so that any will do."""

    name: str
    processes: int
    running: Running
    asked: Asked
    forgets: bool = False

    @cached_property
    def introspections(self) -> Sequence[Request]:
        """A mix of known tokens, by Zipf's law, and unknown ones."""
        random = Random(SEED)  # noqa: S311 (an order, not a secret)
        asked, made = self.asked, dict[int, Request]()
        for number in (numbers := _numbers(asked.known)):
            if number not in made:
                made[number] = posted(self.running.introspect(asked.token(number)))
        return [
            made[number] if random.random() < KNOWN_SHARE else posted(self.running.introspect(asked.unknown()))
            for number in numbers
        ]


@lru_cache(maxsize=2)
def _numbers(known: int) -> Sequence[int]:
    return zipf_choices(known, CHOICES, Random(SEED))  # noqa: S311 (an order, not a secret)
