"""What is asked of a log of numbered tokens: of any of them, or mostly of the newest."""

import json
import math
import random
from collections.abc import Iterator, Sequence
from datetime import UTC
from itertools import islice
from pathlib import Path

from benchmarks.forms import CLIENT, INTROSPECT, RESOURCE_SERVER, REVOKE, TOKEN, form, issuance
from benchmarks.load.request import Request
from benchmarks.load.wrk import Load, harvest
from benchmarks.numbered_tokens import CLIENTS, NumberedTokens, client_name, client_of, client_secret, token
from benchmarks.processes import PATH, CannotMeasure, Server, post
from benchmarks.server_under_load import Measurement, measure

READS = ("introspect any", "introspect the newest most", "history by jti", "page as of")
ASKED = {"introspect any": 50_000, "introspect the newest most": 50_000, "history by jti": 20_000, "page as of": 2_000}
"""Different requests of a run; then they come again."""

MOST_REVOCATIONS = 8_000
"""A second: more than there will be."""

PAGE = 100


class Asking:
    """Requests about the tokens that a log was filled with."""

    def __init__(self, server: Server, tokens: NumberedTokens) -> None:
        self._server = server
        self._tokens = tokens
        self._random = random.Random(tokens.count)  # noqa: S311 (a choice of questions)
        auditor = {"client_id": "auditor", "client_secret": "auditor-secret", "scope": "audit.read"}
        issued = json.loads(post(server, TOKEN, grant_type="client_credentials", **auditor))
        self._bearer = {"Authorization": f"Bearer {issued['access_token']}"}

    def requests(self, name: str) -> Sequence[Request]:
        """One of READS, about other tokens each time."""
        make = {
            "introspect any": lambda: self._introspection(self._any()),
            "introspect the newest most": lambda: self._introspection(self._newest()),
            "history by jti": lambda: self._audit(f"/tokens/{self._tokens.jti(self._any())}/events"),
            "page as of": self._page,
        }[name]
        return [make() for _ in range(ASKED[name])]

    def _any(self) -> int:
        return self._random.randrange(self._tokens.count)

    def _newest(self) -> int:
        # The rank of a token by age is drawn by Zipf's law with exponent 1.
        return self._tokens.count - int(self._tokens.count ** self._random.random())

    def _introspection(self, number: int) -> Request:
        return form(self._server, INTROSPECT, {**RESOURCE_SERVER, "token": token(number)})

    def _page(self) -> Request:
        at = self._tokens.recorded_at(self._any()).astimezone(UTC)
        client = f"client_id={client_name(self._random.randrange(CLIENTS))}"
        chosen = self._random.choice((client, f"{client}&status=active", "status=revoked", "scope=invoice.read"))
        instant = at.isoformat().replace("+00:00", "Z")
        return self._audit(f"/tokens?as_of={instant}&limit={PAGE}&{chosen}")

    def _audit(self, question: str) -> Request:
        return Request(self._server.url(f"{PATH}/audit{question}"), headers=self._bearer)


class Revocations:
    """Revokes each token once: those that a log was filled with, from all over it; when they are used up, new ones."""

    def __init__(self, server: Server, tokens: NumberedTokens, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._left = self._of_the_log(tokens)
        self._prepared: list[Request] = []

    def prepare(self, seconds: int, load: Load) -> None:
        """Find as many as will be revoked in that time."""
        self._prepared += islice(self._left, max(0, seconds * MOST_REVOCATIONS - len(self._prepared)))
        if len(self._prepared) < seconds * MOST_REVOCATIONS:
            # Tokens are issued faster than they are revoked; twice the time is plenty.
            new = harvest(issuance(self._server), self._folder, load=load, seconds=2 * seconds)
            self._prepared += [form(self._server, REVOKE, {**CLIENT, "token": value}) for value in new]

    def run(self, seconds: int, load: Load) -> Measurement:
        """Revoke what was prepared; what is left of it is for the next run."""
        done = measure(self._server, self._prepared, self._folder, load=load, seconds=seconds)
        if done.requests > len(self._prepared):
            msg = f"{len(self._prepared)} tokens did not last {seconds} s"
            raise CannotMeasure(msg)
        # They are sent in order by one thread; as many as there are connections were under way at the end.
        del self._prepared[: done.requests + load.connections]
        return done

    def _of_the_log(self, tokens: NumberedTokens) -> Iterator[Request]:
        # A walk by a step that has no divisor in common with the count comes to every token once, all over the log.
        step = _coprime(int(tokens.count * 0.618), tokens.count)
        for turn in range(tokens.count):
            number = turn * step % tokens.count
            if tokens.revoked_with(number) is None:
                client = client_of(number)
                credentials = {"client_id": client, "client_secret": client_secret(client)}
                yield form(self._server, REVOKE, {**credentials, "token": token(number)})


def _coprime(start: int, count: int) -> int:
    return next(step for step in range(max(1, start), 2 * count + 2) if math.gcd(step, count) == 1)
