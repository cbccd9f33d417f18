"""Assemble the audit trail of one log in PostgreSQL.

Queries about one stream read the log and are complete. Searches use the projections `token_history` and `event_index`,
which lag; each response says as of which position it is.
"""

from ledger.domain.clock import Clock
from ledger.domain.recording import EventMapper
from ledger.postgres.event_log import PostgresEventLog
from ledger.postgres.logs import Log
from ledger.postgres.notifications import LogNotifications
from ledger.use_cases.audit import AuditTrail
from ledger.use_cases.ports import ActiveTokens
from projections.audit.activity import PostgresAuditActivity
from projections.audit.checkpoint import ProjectionCheckpoint
from projections.audit.events import PostgresAuditEvents
from projections.audit.moments import PostgresAuditMoments
from projections.audit.tokens import PostgresAuditTokens
from projections.event_index import EventIndexProjection
from projections.token_history import TokenHistoryProjection


def assemble_audit_trail(
    log: Log,
    event_log: PostgresEventLog,
    active_tokens: ActiveTokens,
    *,
    notifications: LogNotifications,
    mapper: EventMapper,
    clock: Clock,
) -> AuditTrail:
    """Wire the parts of an audit trail to its log."""
    token_history = ProjectionCheckpoint(log, event_log, TokenHistoryProjection)
    event_index = ProjectionCheckpoint(log, event_log, EventIndexProjection)
    return AuditTrail(
        moments=PostgresAuditMoments(log, event_log, token_history, clock),
        tokens=PostgresAuditTokens(log, event_log, active_tokens, token_history, mapper),
        events=PostgresAuditEvents(
            log, event_log, token_history, event_index, notifications=notifications, mapper=mapper
        ),
        activity=PostgresAuditActivity(log, token_history),
    )
