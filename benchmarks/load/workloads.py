"""The workloads, each as the requests that it sends."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from benchmarks.load.request import Request, form_request
from benchmarks.load.target import SEED, LoadTarget
from benchmarks.report.results import ISSUE, LIVE, MIX, MIXED, REVOKE, REVOKED, UNKNOWN

UNKNOWN_TOKENS = 5_000
ISSUANCES, INTROSPECTIONS, REVOCATIONS = 10, 200, 1
"""Of 211 requests of the mixed workload: 1 issuance per 20 introspections and 0.1 revocations."""


@dataclass(frozen=True)
class Workload:
    """`build` builds requests from a target and new tokens to revoke.

    `revocations_per_request`: how many new tokens a request uses up, since a token is revoked only once.
    """

    name: str
    build: Callable[[LoadTarget, Sequence[str]], Sequence[Request]]
    revocations_per_request: float = 0.0


def _introspect(choose: Callable[[LoadTarget], Sequence[str]]) -> Callable[..., Sequence[Request]]:
    return lambda target, _: [form_request(target.running.introspect(token)) for token in choose(target)]


def _revoke(target: LoadTarget, new_tokens: Sequence[str]) -> Sequence[Request]:
    return [form_request(target.running.revoke(token)) for token in new_tokens]


def _mixed(target: LoadTarget, new_tokens: Sequence[str]) -> Sequence[Request]:
    issue = form_request(target.running.issue())
    introspections = itertools.cycle(target.introspections)
    random = Random(SEED)  # noqa: S311 (not for security)
    requests: list[Request] = []
    for revocation in _revoke(target, new_tokens):
        group = [issue] * ISSUANCES + list(itertools.islice(introspections, INTROSPECTIONS)) + [revocation]
        random.shuffle(group)
        requests += group
    return requests


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload(ISSUE, lambda target, _: [form_request(target.running.issue())]),
        Workload(LIVE, _introspect(lambda target: [target.tokens.live])),
        Workload(REVOKED, _introspect(lambda target: [target.tokens.revoked])),
        Workload(UNKNOWN, _introspect(lambda target: [target.tokens.unknown() for _ in range(UNKNOWN_TOKENS)])),
        Workload(MIX, lambda target, _: target.introspections),
        Workload(REVOKE, _revoke, revocations_per_request=1.0),
        Workload(MIXED, _mixed, revocations_per_request=REVOCATIONS / (ISSUANCES + INTROSPECTIONS + REVOCATIONS)),
    )
}
