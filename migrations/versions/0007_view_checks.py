"""Keep the state and the result of the continuous comparison of the views with the log, and the type of a stop's error.

Revision ID: 0007
Revises: 0006
"""

from migrations.functions import function_statements
from migrations.revision import apply_revision, quoted_schema

revision = "0007"
down_revision = "0006"

FUNCTIONS = ("take_view_check", "record_view_check")

STATEMENTS = (
    """
    CREATE TABLE view_checks (
        log_id           integer PRIMARY KEY,
        view             text COLLATE "C",
        after            text COLLATE "C",
        due_at           timestamptz NOT NULL,
        rows_compared    bigint NOT NULL DEFAULT 0,
        round_started_at timestamptz,
        verified_at      timestamptz,
        differences      bigint NOT NULL DEFAULT 0,
        findings         text[] NOT NULL DEFAULT '{}',
        last_differences bigint NOT NULL DEFAULT 0,
        last_findings    text[] NOT NULL DEFAULT '{}'
    ) WITH (fillfactor = 10, vacuum_truncate = off)
    """,
    "ALTER TABLE projection_checkpoints ADD COLUMN error_type text",
    "COMMENT ON TABLE view_checks IS 'Per log, how far its views are compared with it, and the differences found.'",
    "COMMENT ON COLUMN view_checks.verified_at IS 'When the last complete round started.'",
)


def upgrade() -> None:
    """Create the table and the functions."""
    revoke = f"REVOKE ALL ON FUNCTION {', '.join(FUNCTIONS)} FROM PUBLIC"
    statements = (*STATEMENTS, *function_statements(FUNCTIONS, quoted_schema()), revoke)
    apply_revision(statements, {"view_checks": "SELECT"})
