"""Create the checkpoint of the expiry sweep, and tune vacuum of the tables that change most."""

from migrations.revision import apply_revision

revision = "0004"
down_revision = "0003"

STATEMENTS = (
    """
    CREATE TABLE expiry_sweep (
        table_name text COLLATE "C" PRIMARY KEY,
        filenode   oid,
        block      bigint NOT NULL CHECK (block >= 0),
        due_at     timestamptz NOT NULL,
        began_at   timestamptz NOT NULL,
        walked_at  timestamptz NOT NULL
    ) WITH (fillfactor = 10, vacuum_truncate = off)
    """,
    "COMMENT ON TABLE expiry_sweep IS 'Where the walk that removes expired rows is, and when its next step is due.'",
    """
    INSERT INTO expiry_sweep
    VALUES ('active_tokens', NULL, 0, clock_timestamp(), clock_timestamp(), clock_timestamp())
    """,
    # Every append updates the one row of its log. Pages have room for hundreds of row versions, which are pruned in
    # passing. A long snapshot (backup, verification) keeps all versions, and the table grows until it ends. Truncating
    # the table would lock out appends, and the next backup reuses the pages. Statistics on one row are useless, and
    # each ANALYZE invalidates every plan that uses the table.
    """
    ALTER TABLE log_head SET (
        vacuum_truncate = off, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000000
    )
    """,
    # The same applies here: each batch of a projection updates its one row.
    """
    ALTER TABLE projection_checkpoints SET (
        vacuum_truncate = off, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000000
    )
    """,
    # All rows are short-lived. Vacuum at 10 % dead rows instead of 20 % reuses space sooner and keeps the table small.
    # Never truncate: the table would grow again at once, and truncation blocks introspection. The plans of the service
    # do not depend on statistics, so ANALYZE can be rare.
    """
    ALTER TABLE active_tokens SET (
        autovacuum_vacuum_scale_factor = 0.1, vacuum_truncate = off, autovacuum_analyze_scale_factor = 0.5
    )
    """,
    # The table only grows, and a revocation updates a row. 20 % of a hundred million rows would be years of dead rows
    # and one vacuum of several hours. Vacuum often and little instead. fillfactor 90 leaves room for row versions.
    """
    ALTER TABLE token_history SET (
        autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05,
        autovacuum_analyze_scale_factor = 0.02
    )
    """,
    # Each batch updates the rows of the current minute, hour and day, and no others. Dead rows are few compared to the
    # table, and many compared to what is read of it.
    """
    ALTER TABLE token_activity SET (
        fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000
    )
    """,
)

GRANTS = {"expiry_sweep": "SELECT, UPDATE"}


def upgrade() -> None:
    """Create the tables and grant the service its privileges."""
    apply_revision(STATEMENTS, GRANTS)
