"""The record of a token for auditors: by whom, when, from where and why it was issued and revoked.

Everything here is a function of recorded events. A moment is a position of the log and an instant; the state of a token
at a moment never changes as the log grows.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

from msgspec import Struct
from msgspec.structs import asdict, replace

from ledger.domain.events import TokenIssued, TokenRevoked
from ledger.domain.recording import EventMapper, RecordedEvent
from ledger.domain.scope import Scope

TokenStatus = Literal["active", "expired", "revoked"]
TokenState = Literal["not_issued", "active", "expired", "revoked"]

STATUSES: tuple[TokenStatus, ...] = get_args(TokenStatus)


class Moment(Struct, frozen=True):
    """The position up to which the log counts, and the instant at which expiry is judged."""

    position: int
    instant: datetime


class Recorded(Struct, frozen=True, kw_only=True):
    """Where a fact is in the log, and the actor that caused it."""

    position: int
    recorded_at: datetime
    actor: str | None
    request_id: str | None
    remote_address: str | None


class Revocation(Recorded, frozen=True, kw_only=True):
    """When and why a token was revoked."""

    revoked_at: datetime
    reason: str


class TokenRecord(Struct, frozen=True, kw_only=True):
    """A token that was issued at some time. For client_credentials `grant_id` is its jti."""

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
        """Return the token's state at a moment. It is expired from `expires_at` on."""
        if self.issued.position > moment.position:
            return "not_issued"
        if self.revoked is not None and self.revoked.position <= moment.position:
            return "revoked"
        return "active" if moment.instant < self.expires_at else "expired"

    def explain(self, moment: Moment) -> str:
        """Explain the state in one line: since or until when, by whom, why."""
        origin = f"issued to {self.client_id} at {_format(self.issued_at)} {_describe_actor(self.issued)}"
        match self.state(moment):
            case "revoked" if self.revoked is not None:
                end = self.revoked
                return f"revoked since {_format(end.revoked_at)} {_describe_actor(end)}: {end.reason}; {origin}"
            case "active":
                return f"active until {_format(self.expires_at)}; {origin}"
            case "expired":
                return f"expired since {_format(self.expires_at)}; {origin}"
        return f"not issued yet; {origin}"


def fold_token_record(stream: Iterable[RecordedEvent], mapper: EventMapper) -> TokenRecord | None:
    """Fold a token from the rows of its grant's stream; None when they are not of a grant. Raises StoredDataError."""
    record: TokenRecord | None = None
    for row in stream:
        match mapper.decode(row).event:
            case TokenIssued() as event:
                fields = asdict(event)
                del fields["digest"]
                record = TokenRecord(**fields, grant_id=event.jti, issued=Recorded(**_origin(row)))
            case TokenRevoked() as event if record is not None:
                revoked = Revocation(revoked_at=event.revoked_at, reason=event.reason, **_origin(row))
                record = replace(record, revoked=revoked)
    return record


def _origin(row: RecordedEvent) -> dict[str, Any]:
    return {name: getattr(row, name) for name in Recorded.__struct_fields__}


def _format(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")


def _describe_actor(recorded: Recorded) -> str:
    address = f" from {recorded.remote_address}" if recorded.remote_address else ""
    return f"by {recorded.actor or 'unknown'}{address}"
