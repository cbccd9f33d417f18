"""Whether a contender does what the benchmarks ask of it: there is no use in measuring wrong answers."""

from collections.abc import Callable

from benchmarks.contenders.asking import answered
from benchmarks.contenders.contender import CannotHave, Running


def exchange(running: Running, tell: Callable[[str], object] = lambda _line: None) -> tuple[str, str]:
    """Issue, introspect, revoke and introspect again; returns a live token and the revoked one.

    `tell` hears of each step. Raises CannotHave when an answer is not what it should be.
    """
    try:
        live, token = (str(answered(running.issue())["access_token"]) for _ in range(2))
        tell(f"issued a token of {len(token)} characters")
        before = answered(running.introspect(token))
        tell(f"introspected it: {before}")
        revoked = answered(running.revoke(token))
        tell(f"revoked it: {revoked or 'an empty answer'}")
        after = answered(running.introspect(token))
        tell(f"introspected it: {after}")
    except (ValueError, KeyError, OSError) as error:
        msg = f"it does not answer as it should: {error}"
        raise CannotHave(msg) from error
    if (before.get("active"), after.get("active")) != (True, False):
        msg = f"a token was active {before.get('active')} when issued and {after.get('active')} when revoked"
        raise CannotHave(msg)
    return live, token
