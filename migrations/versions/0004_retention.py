"""Where the sweep of expired rows is, and how the tables that change most are vacuumed.

Revision ID: 0004
Revises: 0003
"""

from collections.abc import Sequence

from alembic import op

from migrations.privileges import grant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SWEEP = (
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
)

HOT_ROWS = (
    # One row a log, updated by every append, on pages with room for hundreds of its versions, which are pruned in
    # passing. A long snapshot (a backup, a verification) keeps them all, and the table grows until it ends. To give the
    # pages back vacuum would take the table for itself and hold up every append; the next backup has use for them.
    # Statistics of one row tell nothing, and whenever they are taken every plan on the table is made anew.
    """
    ALTER TABLE log_head SET (
        vacuum_truncate = off, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000000
    )
    """,
    # The same: a row for each projection of a log, updated with every batch that it applies.
    """
    ALTER TABLE projection_checkpoints SET (
        vacuum_truncate = off, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000000
    )
    """,
)

CHURN = (
    # Every row comes and goes. Vacuumed at a tenth of dead rows instead of a fifth, so that their places are found
    # again sooner and the table is smaller. Never truncated: it would grow again at once, and introspection would wait.
    # The plans of the service do not depend on statistics, so they need not be taken whenever a tenth has changed.
    """
    ALTER TABLE active_tokens SET (
        autovacuum_vacuum_scale_factor = 0.1, vacuum_truncate = off, autovacuum_analyze_scale_factor = 0.5
    )
    """,
)

GROWING = (
    # It only grows, and a revocation updates a row: a fifth of a hundred million rows would be years of dead ones, and
    # one vacuum of hours. Often and little instead. Room for new versions of a row beside it is there (fillfactor 90).
    """
    ALTER TABLE token_history SET (
        autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05,
        autovacuum_analyze_scale_factor = 0.02
    )
    """,
    # The rows of the present minute, hour and day are updated with every batch, all others never again: what is dead is
    # little beside the table, and much beside what is read of it.
    """
    ALTER TABLE token_activity SET (
        fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000
    )
    """,
)

TABLES: Sequence[Sequence[str]] = (SWEEP, HOT_ROWS, CHURN, GROWING)

GRANTS = {"expiry_sweep": "SELECT, UPDATE"}


def upgrade() -> None:
    """Make the table of the sweep, set the storage parameters, and let the service's role sweep."""
    for statements in TABLES:
        for statement in statements:
            op.get_bind().exec_driver_sql(statement)
    grant(GRANTS)
