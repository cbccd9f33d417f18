"""An independent oracle: a fold of the raw log, and a model of the responses.

It uses neither the codec nor the aggregates nor the projections.
"""

import json
from base64 import b64decode
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

ActiveRow = tuple[str, str, str, str, tuple[str, ...], int, int]
"""jti, client_id, subject, scope, audience, issued_at, expires_at."""


def fold_of(rows) -> dict[bytes, ActiveRow]:
    """Return the issued and unrevoked tokens by digest, from the bytes of the log."""
    active: dict[bytes, ActiveRow] = {}
    for row in rows:
        if not row.topic.startswith("token."):
            continue
        body = json.loads(row.payload)
        digest = b64decode(body["digest"])
        if row.topic == "token.issued":
            active[digest] = (
                body["jti"],
                body["client_id"],
                body["subject"],
                " ".join(body["scope"]),
                tuple(body["audience"]),
                seconds_of(body["issued_at"]),
                seconds_of(body["expires_at"]),
            )
        else:
            del active[digest]
    return active


def positions_of_tokens(rows) -> dict[int, tuple[str, str]]:
    """Return topic and jti of the token events, by position."""
    tokens = [row for row in rows if row.topic.startswith("token.")]
    return {row.position: (row.topic, json.loads(row.payload)["jti"]) for row in tokens}


def seconds_of(text: str) -> int:
    instant = datetime.fromisoformat(text).timestamp()
    assert instant == int(instant), f"{text} is not a whole second"
    return int(instant)


def check_order(rows) -> None:
    """Check that positions and stream versions are dense from 1 and that recorded_at never decreases."""
    assert [row.position for row in rows] == list(range(1, len(rows) + 1))
    assert all(earlier.recorded_at <= later.recorded_at for earlier, later in pairwise(rows))
    versions = defaultdict(list)
    for row in rows:
        versions[row.stream_id].append(row.stream_version)
    assert all(found == list(range(1, len(found) + 1)) for found in versions.values())


def check_disabled_clients_get_nothing(rows) -> None:
    """Check that no token is recorded for a client between its disabling and its enabling."""
    disabled = set()
    for row in rows:
        client_id = json.loads(row.payload)["client_id"]
        match row.topic:
            case "client.disabled":
                disabled.add(client_id)
            case "client.enabled":
                disabled.discard(client_id)
            case "token.issued":
                assert client_id not in disabled, f"{client_id} was disabled when position {row.position} was recorded"


@dataclass
class KnownToken:
    text: str
    jti: str
    client: str
    audience: tuple[str, ...]
    expires_at: int
    revoked: bool = False

    def is_active(self, now: datetime) -> bool:
        return not self.revoked and now.timestamp() < self.expires_at


@dataclass
class KnownSecret:
    secret_id: str
    secret: str
    ends_at: datetime | None

    def is_valid(self, now: datetime) -> bool:
        return self.ends_at is None or now < self.ends_at


@dataclass
class KnownClient:
    lifetime: int
    audience: tuple[str, ...]
    enabled: bool = True
    secrets: list[KnownSecret] = field(default_factory=list)
