"""A choice in which few are asked for often and most hardly ever, as resource servers ask for tokens."""

from bisect import bisect
from itertools import accumulate
from random import Random

EXPONENT = 1.0
"""Of Zipf's law: the second is asked for half as often as the first, the tenth a tenth as often."""


def zipf_choices(population: int, count: int, random: Random) -> list[int]:
    """So many of the numbers 0 to `population`. Which are the popular ones is itself random, so they are all over."""
    weights = list(accumulate(1 / (rank + 1) ** EXPONENT for rank in range(population)))
    popular = list(range(population))
    random.shuffle(popular)
    return [popular[bisect(weights, random.random() * weights[-1])] for _ in range(count)]
