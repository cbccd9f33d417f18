"""Record which parts of a log are archived, and index token history by jti."""

from migrations.revision import apply_revision

revision = "0005"
down_revision = "0004"

STATEMENTS = (
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
    "CREATE INDEX token_history_jti ON token_history (jti)",
    """
    COMMENT ON TABLE event_log
        IS 'Every event not archived. The service may SELECT and INSERT; nobody updates; archiving alone deletes.'
    """,
)

GRANTS = {"log_archives": "SELECT"}


def upgrade() -> None:
    """Create the tables and grant the service its privileges."""
    apply_revision(STATEMENTS, GRANTS)
