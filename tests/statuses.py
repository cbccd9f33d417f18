"""Statuses of projections, for tests of what shows them."""

from datetime import UTC, datetime
from typing import Any

from projections.following.skips import Skip
from projections.following.status import BuildStatus, ProjectionStatus, StoppedEvent

AT = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
STOP = StoppedEvent(
    41, "token.revoked", "RevokedBeforeIssued", "RevokedBeforeIssued: the token 7f was revoked but not issued before"
)
SKIP = Skip(17, "token.issued", "ValueError: no", "known defect", "operator:ada", AT)
BUILD = BuildStatus(version=2, state="building", position=20, holder="host:9", started_at=AT)


def status(**changes: Any) -> ProjectionStatus:
    """A live catch-up projection with some changes."""
    live = {
        "projection": "token_history",
        "log": "main",
        "mode": "catch-up",
        "state": "live",
        "version": 1,
        "expected_version": 1,
        "position": 40,
        "head": 42,
        "lag_events": 2,
        "lag_seconds": 0.25,
        "holder": "host:7",
        "as_of": AT,
    }
    return ProjectionStatus(**live | changes)


def stopped() -> ProjectionStatus:
    """A catch-up projection that is stopped at an event."""
    return status(state="stopped", stopped=STOP, holder=None)
