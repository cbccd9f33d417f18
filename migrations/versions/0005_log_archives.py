"""What of each log was moved to archives, and finding a token's history by its jti when its stream is in one.

Revision ID: 0005
Revises: 0004
"""

from collections.abc import Sequence

from alembic import op

from migrations.privileges import grant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

LOG_ARCHIVES = (
    """
    CREATE TABLE log_archives (
        log_id           integer NOT NULL,
        first_position   bigint NOT NULL CHECK (first_position > 0),
        last_position    bigint NOT NULL CHECK (last_position >= first_position),
        last_recorded_at timestamptz NOT NULL,
        file_name        text NOT NULL,
        file_sha256      text NOT NULL,
        events_sha256    text NOT NULL,
        running_sha256   text NOT NULL,
        closed_before    timestamptz NOT NULL,
        archived_at      timestamptz NOT NULL,
        removed_at       timestamptz,
        PRIMARY KEY (log_id, first_position),
        UNIQUE (log_id, last_position)
    )
    """,
    """
    COMMENT ON TABLE log_archives
        IS 'Parts of logs that are in files. What they hold of closed grants is removed from event_log, or will be.'
    """,
)

TOKEN_HISTORY_BY_JTI = ("CREATE INDEX token_history_jti ON token_history (jti)",)

EVENT_LOG = (
    """
    COMMENT ON TABLE event_log
        IS 'Every event not archived. The service may SELECT and INSERT; nobody updates; archiving alone deletes.'
    """,
)

TABLES: Sequence[Sequence[str]] = (LOG_ARCHIVES, TOKEN_HISTORY_BY_JTI, EVENT_LOG)

GRANTS = {"log_archives": "SELECT"}


def upgrade() -> None:
    """Create the table and the index, and let the service's role read what is archived."""
    for statements in TABLES:
        for statement in statements:
            op.get_bind().exec_driver_sql(statement)
    grant(GRANTS)
