"""The rows of numbered tokens, as the service and its projections would write them."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from benchmarks.numbered_tokens import NumberedTokens, issued_position
from ledger.domain.clock import to_epoch_seconds
from ledger.domain.codec import CODEC
from ledger.domain.events import Event, TokenIssued, TokenRevoked
from ledger.domain.scope import format_scope
from projections.token_activity import ActivityCounts
from projections.token_history import ISSUED

HISTORY_COLUMNS: Final = (
    *ISSUED,
    "revoked_position",
    "revoked_at",
    "revoked_recorded_at",
    "revoked_by",
    "revoked_request_id",
    "revoked_from",
    "revocation_reason",
)
NOT_REVOKED: Final = (None,) * 7
ADDRESS: Final = "192.0.2.7"

Row = tuple[Any, ...]


class TokenRows:
    """Builds the rows of one log, and adds its issuances and revocations to `activity`."""

    def __init__(self, tokens: NumberedTokens, log_id: int) -> None:
        self._tokens = tokens
        self._log_id = log_id
        self.activity = ActivityCounts()

    def clients(self) -> Iterator[Row]:
        """Yield the rows of event_log that precede the first token."""
        for position, (stream, version, event) in enumerate(self._tokens.client_events(), start=1):
            yield self._event(position, self._tokens.begin, (stream, version), event, "operator:benchmark")

    def build(self, first: int, last: int) -> tuple[list[Row], list[Row], list[Row]]:
        """Return the rows of event_log, active_tokens and token_history for the tokens first to last - 1."""
        log, active, history = [], [], []
        for number in range(first, last):
            token = self._tokens.issued(number)
            at = self._tokens.recorded_at(number)
            position = issued_position(number)
            log.append(self._event(position, at, (token.jti, 1), token, f"client:{token.client_id}"))
            self.activity.add_issued(token.client_id, at, token.expires_at)
            cause = self._tokens.revoked_with(number)
            if cause is None:
                active.append(self._active(token))
                history.append(self._history(token, position, at, NOT_REVOKED))
            else:
                revoked_at = self._tokens.recorded_at(cause)
                revoked = self._tokens.revoked(token, cause)
                revoked_position = issued_position(cause) + 1
                log.append(
                    self._event(revoked_position, revoked_at, (token.jti, 2), revoked, f"client:{token.client_id}")
                )
                history.append(self._history(token, position, at, _end(revoked, revoked_position, revoked_at)))
                self.activity.add_revoked(token.client_id, revoked_at, expires_at=token.expires_at, issued_at=at)
        return log, active, history

    def _event(self, position: int, at: datetime, place: tuple[UUID, int], event: Event, actor: str) -> Row:
        payload = CODEC.encode(event)
        head = (self._log_id, position, at, *place, event.SCHEMA_VERSION, event.TOPIC, payload)
        return (*head, actor, _request_id(position), ADDRESS, position.to_bytes(16))

    def _active(self, token: TokenIssued) -> Row:
        return (
            self._log_id,
            token.digest,
            token.jti,
            token.client_id,
            token.subject,
            format_scope(token.scope),
            token.audience,
            to_epoch_seconds(token.issued_at),
            to_epoch_seconds(token.expires_at),
        )

    def _history(self, token: TokenIssued, position: int, at: datetime, end: Row) -> Row:
        return (
            self._log_id,
            position,
            token.jti,
            token.jti,
            token.digest,
            token.client_id,
            token.subject,
            format_scope(token.scope),
            format_scope(token.audience),
            token.grant_type,
            token.token_format,
            token.issued_at,
            token.expires_at,
            at,
            f"client:{token.client_id}",
            _request_id(position),
            ADDRESS,
            *end,
        )


def _end(event: TokenRevoked, position: int, at: datetime) -> Row:
    actor = f"client:{event.client_id}"
    return position, event.revoked_at, at, actor, _request_id(position), ADDRESS, event.reason


def _request_id(position: int) -> str:
    return f"{position:032x}"
