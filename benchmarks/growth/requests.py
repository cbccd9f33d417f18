"""Requests about the numbered tokens of a filled log."""

import json
import math
import random
from collections.abc import Iterator, Sequence
from datetime import UTC
from itertools import islice
from pathlib import Path

from benchmarks.demo_service import (
    AUDITOR,
    CLIENT,
    INTROSPECT,
    PATH,
    RESOURCE_SERVER,
    REVOKE,
    TOKEN,
    Measurement,
    Server,
    build_form,
    issuance_request,
    measure,
    post_form,
)
from benchmarks.errors import MeasurementError
from benchmarks.load.request import Request
from benchmarks.load.wrk import Load, issue_tokens
from benchmarks.numbered_tokens import CLIENTS, NumberedTokens, client_name, client_of, client_secret, token

READS = {"introspect any": 50_000, "introspect the newest most": 50_000, "history by jti": 20_000, "page as of": 2_000}
"""How many different requests a run of each kind repeats."""

MAX_REVOCATIONS_PER_SECOND = 8_000
PAGE_SIZE = 100


class ReadRequests:
    """Introspections and audit queries."""

    def __init__(self, server: Server, tokens: NumberedTokens) -> None:
        self._server = server
        self._tokens = tokens
        self._random = random.Random(tokens.count)  # noqa: S311 (not for security)
        self.bearer = {"Authorization": f"Bearer {json.loads(post_form(server, TOKEN, AUDITOR))['access_token']}"}

    def build(self, name: str) -> Sequence[Request]:
        """Build new requests of one kind of READS."""
        build_one = {
            "introspect any": lambda: self._introspection(self._any()),
            "introspect the newest most": lambda: self._introspection(self._newest()),
            "history by jti": lambda: self._audit_query(f"/tokens/{self._tokens.jti(self._any())}/events"),
            "page as of": self._page,
        }[name]
        return [build_one() for _ in range(READS[name])]

    def _any(self) -> int:
        return self._random.randrange(self._tokens.count)

    def _newest(self) -> int:
        # The rank of a token by age follows Zipf's law with exponent 1.
        return self._tokens.count - int(self._tokens.count ** self._random.random())

    def _introspection(self, number: int) -> Request:
        return build_form(self._server, INTROSPECT, {**RESOURCE_SERVER, "token": token(number)})

    def _page(self) -> Request:
        instant = self._tokens.recorded_at(self._any()).astimezone(UTC).isoformat().replace("+00:00", "Z")
        client = f"client_id={client_name(self._random.randrange(CLIENTS))}"
        condition = self._random.choice((client, f"{client}&status=active", "status=revoked", "scope=invoice.read"))
        return self._audit_query(f"/tokens?as_of={instant}&limit={PAGE_SIZE}&{condition}")

    def _audit_query(self, target: str) -> Request:
        return Request(self._server.url(f"{PATH}/audit{target}"), headers=self.bearer)


class Revocations:
    """Revokes each token of the log once, in an order that is spread over the log; then newly issued tokens."""

    def __init__(self, server: Server, tokens: NumberedTokens, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._remaining = self._revocations_of_log(tokens)
        self._prepared: list[Request] = []

    def prepare(self, seconds: int, load: Load) -> None:
        """Prepare enough requests for a run of that length."""
        wanted = seconds * MAX_REVOCATIONS_PER_SECOND
        self._prepared += islice(self._remaining, max(0, wanted - len(self._prepared)))
        if len(self._prepared) < wanted:
            # Issuance is faster than revocation, so twice the time is enough.
            new = issue_tokens(issuance_request(self._server), self._folder, load=load, seconds=2 * seconds)
            self._prepared += [build_form(self._server, REVOKE, {**CLIENT, "token": value}) for value in new]

    def run(self, seconds: int, load: Load) -> Measurement:
        """Send prepared requests for that long; unsent ones remain for the next run."""
        done = measure(self._server, self._prepared, self._folder, load=load, seconds=seconds)
        if done.requests > len(self._prepared):
            msg = f"{len(self._prepared)} tokens were not enough for {seconds} s"
            raise MeasurementError(msg)
        # One thread sends in order; in the end each connection had one request in flight.
        del self._prepared[: done.requests + load.connections]
        return done

    def _revocations_of_log(self, tokens: NumberedTokens) -> Iterator[Request]:
        # Steps of a size that is coprime to the count visit every token once, spread over the log.
        start = max(1, int(tokens.count * 0.618))
        step = next(step for step in range(start, 2 * tokens.count + 2) if math.gcd(step, tokens.count) == 1)
        for turn in range(tokens.count):
            number = turn * step % tokens.count
            if tokens.revoked_with(number) is None:
                client = client_of(number)
                fields = {"client_id": client, "client_secret": client_secret(client), "token": token(number)}
                yield build_form(self._server, REVOKE, fields)
