"""Create what audit queries read: token history, activity over time and projection checkpoints."""

from migrations.revision import apply_revision

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    """
    CREATE TABLE projection_checkpoints (
        log_id        integer NOT NULL,
        projection    text COLLATE "C" NOT NULL,
        version       integer NOT NULL,
        position      bigint NOT NULL CHECK (position >= 0),
        updated_at    timestamptz NOT NULL,
        holder        text,
        lease_token   bigint NOT NULL,
        lease_until   timestamptz,
        stopped_at    bigint,
        stopped_topic text,
        error         text,
        PRIMARY KEY (log_id, projection)
    ) WITH (fillfactor = 10)
    """,
    """
    COMMENT ON TABLE projection_checkpoints
        IS 'How far each projection that follows the log has read, who has the lease to, and what it stopped at.'
    """,
    """
    CREATE TABLE token_history (
        log_id             integer NOT NULL,
        issued_position    bigint NOT NULL,
        jti                uuid NOT NULL,
        grant_id           uuid NOT NULL,
        digest             bytea NOT NULL,
        client_id          text COLLATE "C" NOT NULL,
        subject            text COLLATE "C" NOT NULL,
        scope              text COLLATE "C" NOT NULL,
        audience           text COLLATE "C" NOT NULL,
        grant_type         text COLLATE "C" NOT NULL,
        token_format       text COLLATE "C" NOT NULL,
        issued_at          timestamptz NOT NULL,
        expires_at         timestamptz NOT NULL,
        issued_recorded_at timestamptz NOT NULL,
        issued_by          text,
        issued_request_id  text,
        issued_from        text,
        revoked_position    bigint,
        revoked_at          timestamptz,
        revoked_recorded_at timestamptz,
        revoked_by          text,
        revoked_request_id  text,
        revoked_from        text,
        revocation_reason   text,
        PRIMARY KEY (log_id, issued_position)
    ) WITH (fillfactor = 90)
    """,
    "COMMENT ON TABLE token_history IS 'Catch-up projection: every token ever issued, and what became of it.'",
    "CREATE INDEX token_history_digest ON token_history USING hash (digest)",
    "CREATE INDEX token_history_client ON token_history (log_id, client_id, issued_position)",
    """
    CREATE INDEX token_history_subject ON token_history (log_id, subject, issued_position)
        WHERE subject <> client_id
    """,
    "CREATE INDEX token_history_scope ON token_history (log_id, scope, issued_position)",
    """
    CREATE INDEX token_history_revoked ON token_history (log_id, issued_position)
        WHERE revoked_position IS NOT NULL
    """,
    """
    CREATE INDEX token_history_client_revoked ON token_history (log_id, client_id, issued_position)
        WHERE revoked_position IS NOT NULL
    """,
    """
    CREATE INDEX token_history_client_revocations ON token_history (log_id, client_id, revoked_position)
        WHERE revoked_position IS NOT NULL
    """,
    """
    CREATE INDEX token_history_subject_revocations ON token_history (log_id, subject, revoked_position)
        WHERE revoked_position IS NOT NULL
    """,
    """
    CREATE TABLE token_activity (
        log_id    integer NOT NULL,
        unit      integer NOT NULL,
        start     bigint NOT NULL,
        client_id text COLLATE "C" NOT NULL,
        issued    bigint NOT NULL,
        revoked   bigint NOT NULL,
        ended     bigint NOT NULL,
        PRIMARY KEY (log_id, unit, start, client_id)
    )
    """,
    """
    COMMENT ON TABLE token_activity
        IS 'Of the projection token_history: what happened in each minute, hour and day, per client.'
    """,
    "CREATE INDEX event_log_topic ON event_log (log_id, topic, position)",
    "CREATE INDEX event_log_actor ON event_log (log_id, actor, topic, position)",
)

GRANTS = {
    "projection_checkpoints": "SELECT, INSERT, UPDATE",
    "token_history": "SELECT, INSERT, UPDATE",
    "token_activity": "SELECT, INSERT, UPDATE",
}


def upgrade() -> None:
    """Create the tables and grant the service its privileges."""
    apply_revision(STATEMENTS, GRANTS)
