"""How many examples each property searches, and in which phases of Hypothesis.

HYPOTHESIS_PROFILE names a profile. Without it, the same bounded examples run every time.
"""

import os

from hypothesis import Phase, settings

settings.register_profile("ci", derandomize=True, max_examples=100, deadline=None)
settings.register_profile("campaign", max_examples=5_000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

PHASES = [Phase.reuse, Phase.generate] if settings.default.derandomize else settings.default.phases
"""A campaign shrinks what it finds. On a database that takes minutes, so the everyday run does not."""


def count_examples(*, at_least: int, part: float) -> int:
    """Return how many examples to search: a part of the profile's, but at least a few."""
    return max(at_least, round(settings.default.max_examples * part))
