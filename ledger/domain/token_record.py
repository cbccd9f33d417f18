"""What became of a token, for whoever asks later: who, when, from where, why, and whether it was active at a moment.

Everything here is a function of recorded events. A moment is a position of the log and an instant; what was true then
stays true however the log grows.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from ledger.domain.events import TokenIssued, TokenRevoked
from ledger.domain.recording import EventMapper, RecordedEvent
from ledger.domain.scope import Scope

TokenStatus = Literal["active", "expired", "revoked"]
TokenState = Literal["not_issued", "active", "expired", "revoked"]

STATUSES: tuple[TokenStatus, ...] = get_args(TokenStatus)


class Moment(Struct, frozen=True):
    """Up to which position the log counts, and what time it was."""

    position: int
    instant: datetime


class Recorded(Struct, frozen=True, kw_only=True):
    """Where the log has a fact, and who caused it from where."""

    position: int
    recorded_at: datetime
    actor: str | None
    request_id: str | None
    remote_address: str | None


class Revocation(Recorded, frozen=True, kw_only=True):
    """How a token was ended before its time."""

    revoked_at: datetime
    reason: str


class TokenRecord(Struct, frozen=True, kw_only=True):
    """A token that was ever issued. For client_credentials the grant is the token, so `grant_id` is its jti."""

    jti: UUID
    grant_id: UUID
    client_id: str
    subject: str
    scope: Scope
    audience: tuple[str, ...]
    grant_type: str
    token_format: str
    issued_at: datetime
    expires_at: datetime
    issued: Recorded
    revoked: Revocation | None = None

    def state(self, moment: Moment) -> TokenState:
        """What the service would have held it for at that moment; it ends at expires_at, not after it."""
        if self.issued.position > moment.position:
            return "not_issued"
        if self.revoked is not None and self.revoked.position <= moment.position:
            return "revoked"
        return "active" if moment.instant < self.expires_at else "expired"

    def explain(self, moment: Moment) -> str:
        """The state in one line: since or until when, by whom, why."""
        origin = (
            f"issued to {self.client_id} at {_instant(self.issued_at)} by {self.issued.actor or 'unknown'}"
            f"{_from(self.issued)}"
        )
        match self.state(moment):
            case "revoked" if self.revoked is not None:
                end = self.revoked
                by = f"by {end.actor or 'unknown'}{_from(end)}"
                return f"revoked since {_instant(end.revoked_at)} {by}: {end.reason}; {origin}"
            case "active":
                return f"active until {_instant(self.expires_at)}; {origin}"
            case "expired":
                return f"expired since {_instant(self.expires_at)}; {origin}"
        return f"not issued yet; {origin}"


def fold_token_record(stream: Iterable[RecordedEvent], mapper: EventMapper) -> TokenRecord | None:
    """A token from the rows of its grant's stream, or None when they are not those of a grant.

    Raises StoredDataError for a row that this release cannot read.
    """
    record: TokenRecord | None = None
    for row in stream:
        match mapper.decode(row).event:
            case TokenIssued() as event:
                record = build_token_record(event, row)
            case TokenRevoked() as event if record is not None:
                record = replace(record, revoked=build_revocation(event, row))
    return record


def build_token_record(event: TokenIssued, row: RecordedEvent) -> TokenRecord:
    """A token as it is when it has just been issued."""
    return TokenRecord(
        jti=event.jti,
        grant_id=event.jti,
        client_id=event.client_id,
        subject=event.subject,
        scope=event.scope,
        audience=event.audience,
        grant_type=event.grant_type,
        token_format=event.token_format,
        issued_at=event.issued_at,
        expires_at=event.expires_at,
        issued=Recorded(**_where(row)),
    )


def build_revocation(event: TokenRevoked, row: RecordedEvent) -> Revocation:
    """The end of a token as its event records it."""
    return Revocation(revoked_at=event.revoked_at, reason=event.reason, **_where(row))


def _where(row: RecordedEvent) -> dict[str, Any]:
    return {
        "position": row.position,
        "recorded_at": row.recorded_at,
        "actor": row.actor,
        "request_id": row.request_id,
        "remote_address": row.remote_address,
    }


def _instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")


def _from(recorded: Recorded) -> str:
    return f" from {recorded.remote_address}" if recorded.remote_address else ""
