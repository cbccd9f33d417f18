"""What is measured: each workload as the requests it sends."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from benchmarks.load.request import Request, posted
from benchmarks.load.subject import SEED, Subject
from benchmarks.report.results import ISSUE, LIVE, MIX, MIXED, REVOKE, REVOKED, UNKNOWN

UNKNOWN_TOKENS = 5_000
ISSUED, INTROSPECTED, REVOKED_ONCE = 10, 200, 1
"""Of 211 requests of the mixed workload: 1 issuance to 20 introspections to 0.1 revocations."""


@dataclass(frozen=True)
class Workload:
    """`requests` are made for a contender, of the tokens it is asked about and of new tokens to revoke.

    `spends` says how many of those a request takes: a token is revoked once.
    """

    name: str
    requests: Callable[[Subject, Sequence[str]], Sequence[Request]]
    spends: float = 0.0


def _issue(subject: Subject, _spent: Sequence[str]) -> Sequence[Request]:
    return [posted(subject.running.issue())]


def _live(subject: Subject, _spent: Sequence[str]) -> Sequence[Request]:
    return [posted(subject.running.introspect(subject.asked.live))]


def _revoked(subject: Subject, _spent: Sequence[str]) -> Sequence[Request]:
    return [posted(subject.running.introspect(subject.asked.revoked))]


def _unknown(subject: Subject, _spent: Sequence[str]) -> Sequence[Request]:
    return [posted(subject.running.introspect(subject.asked.unknown())) for _ in range(UNKNOWN_TOKENS)]


def _mix(subject: Subject, _spent: Sequence[str]) -> Sequence[Request]:
    return subject.introspections


def _revoke(subject: Subject, spent: Sequence[str]) -> Sequence[Request]:
    return [posted(subject.running.revoke(token)) for token in spent]


def _mixed(subject: Subject, spent: Sequence[str]) -> Sequence[Request]:
    issue = posted(subject.running.issue())
    asking = itertools.cycle(subject.introspections)
    random = Random(SEED)  # noqa: S311 (an order, not a secret)
    requests: list[Request] = []
    for token in spent:
        turn = [issue] * ISSUED + list(itertools.islice(asking, INTROSPECTED)) + [posted(subject.running.revoke(token))]
        random.shuffle(turn)
        requests += turn
    return requests


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload(ISSUE, _issue),
        Workload(LIVE, _live),
        Workload(REVOKED, _revoked),
        Workload(UNKNOWN, _unknown),
        Workload(MIX, _mix),
        Workload(REVOKE, _revoke, spends=1.0),
        Workload(MIXED, _mixed, spends=REVOKED_ONCE / (ISSUED + INTROSPECTED + REVOKED_ONCE)),
    )
}
