"""Move the indexes that only audit queries read from the log to the projection `event_index`.

The projection fills itself from position 0. A log that is archived needs `projections rebuild event_index --archives`.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

from migrations.revision import apply_revision

revision = "0008"
down_revision = "0007"

STATEMENTS = (
    """
    CREATE TABLE event_index (
        log_id   integer NOT NULL,
        position bigint NOT NULL,
        topic    text COLLATE "C" NOT NULL,
        actor    text COLLATE "C",
        PRIMARY KEY (log_id, topic, position)
    )
    """,
    "COMMENT ON TABLE event_index IS 'Catch-up projection: the type and the actor of every event, for audit queries.'",
    "CREATE INDEX event_index_actor ON event_index (log_id, actor, topic, position)",
)


def upgrade() -> None:
    """Drop the indexes, then create the table. After an interruption the migration can be run again."""
    # Concurrently, which no transaction allows: a plain DROP INDEX waits for every reader, and appends wait for it. The
    # older release finds the same events by the primary key, more slowly.
    with op.get_context().autocommit_block():
        for index in ("event_log_topic", "event_log_actor"):
            op.get_bind().exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {index}")
    apply_revision(STATEMENTS, {})
