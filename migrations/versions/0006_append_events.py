"""Append, create logs and sweep by functions, so that the service's role needs no write privilege on those tables.

`salt` is what personal values of an event are hashed with, once the log is committed to; the hashes take the place of
values that are erased. See docs/decisions/0020-personal-data-can-be-erased.md.

Revision ID: 0006
Revises: 0005
"""

from migrations.functions import function_statements
from migrations.revision import apply_revision, quoted_schema

revision = "0006"
down_revision = "0005"

FUNCTIONS = (
    "fold_active_tokens",
    "fold_clients",
    "append_events",
    "create_log",
    "wait_for_append",
    "find_recorded_events",
    "sweep_expired_tokens",
)

STATEMENTS = (
    """
    ALTER TABLE event_log
        ADD COLUMN salt bytea,
        ADD COLUMN subject_hash bytea,
        ADD COLUMN actor_hash bytea,
        ADD COLUMN remote_address_hash bytea,
        -- The largest entry that a tile of a transparency log can hold.
        ADD CONSTRAINT event_log_entry_size CHECK (
            octet_length(payload) + octet_length(topic) + coalesce(octet_length(actor), 0)
            + coalesce(octet_length(request_id), 0) + coalesce(octet_length(remote_address), 0) <= 65000
        ) NOT VALID
    """,
    "COMMENT ON TABLE event_log IS 'Every event not archived. append_events adds rows; archiving alone deletes.'",
    "COMMENT ON TABLE projection_builds IS 'Projections that are being rebuilt while the live tables stay in use.'",
    "COMMENT ON TABLE projection_skips IS 'Events that a projection skips because an operator decided so.'",
    "COMMENT ON COLUMN event_log.salt IS '16 random bytes, null once the personal values of the event are erased.'",
    # What active_tokens takes from a token.issued. A table's row type would be dropped with the table by a rebuild.
    """
    CREATE TYPE token_issued_payload AS (
        digest text, jti uuid, client_id text, subject text, scope text[], audience text[],
        issued_at timestamptz, expires_at timestamptz
    )
    """,
)


def upgrade() -> None:
    """Add the columns and the functions."""
    revoke = f"REVOKE ALL ON FUNCTION {', '.join(FUNCTIONS)} FROM PUBLIC"
    apply_revision((*STATEMENTS, *function_statements(FUNCTIONS, quoted_schema()), revoke), {})
