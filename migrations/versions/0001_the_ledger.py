"""Create the event log, its head rows and the two inline projections."""

from migrations.revision import apply_revision

revision = "0001"
down_revision = None

STATEMENTS = (
    """
    CREATE TABLE logs (
        name       text COLLATE "C" PRIMARY KEY,
        log_id     integer NOT NULL UNIQUE,
        created_at timestamptz NOT NULL
    )
    """,
    "COMMENT ON TABLE logs IS 'Which log an issuer has; a log_id is given once and never again.'",
    """
    CREATE TABLE log_head (
        log_id      integer PRIMARY KEY,
        position    bigint NOT NULL CHECK (position >= 0),
        recorded_at timestamptz NOT NULL
    ) WITH (fillfactor = 10)
    """,
    "COMMENT ON TABLE log_head IS 'One row a log: the write lock and the counter. Every append takes it first.'",
    """
    CREATE TABLE event_log (
        log_id         integer NOT NULL,
        position       bigint NOT NULL CHECK (position > 0),
        recorded_at    timestamptz NOT NULL,
        stream_id      uuid NOT NULL,
        stream_version integer NOT NULL CHECK (stream_version > 0),
        schema_version smallint NOT NULL CHECK (schema_version > 0),
        topic          text COLLATE "C" NOT NULL,
        payload        bytea NOT NULL,
        actor          text,
        request_id     text,
        remote_address text,
        PRIMARY KEY (log_id, position),
        UNIQUE (log_id, stream_id, stream_version)
    )
    """,
    """
    COMMENT ON TABLE event_log
        IS 'Every event ever recorded. The service may SELECT and INSERT; nobody updates or deletes.'
    """,
    """
    CREATE TABLE active_tokens (
        log_id     integer NOT NULL,
        digest     bytea NOT NULL CHECK (octet_length(digest) = 32),
        jti        uuid NOT NULL,
        client_id  text COLLATE "C" NOT NULL,
        subject    text COLLATE "C" NOT NULL,
        scope      text COLLATE "C" NOT NULL,
        audience   text[] COLLATE "C" NOT NULL,
        issued_at  bigint NOT NULL,
        expires_at bigint NOT NULL,
        PRIMARY KEY (log_id, digest)
    )
    """,
    """
    COMMENT ON TABLE active_tokens
        IS 'Inline projection: what introspection answers. Revoked tokens are not here.'
    """,
    """
    COMMENT ON COLUMN active_tokens.expires_at
        IS 'Seconds since 1970. Compared at every read; the row may outlive the token.'
    """,
    """
    CREATE TABLE clients (
        log_id         integer NOT NULL,
        client_id      text COLLATE "C" NOT NULL,
        stream_version integer NOT NULL,
        document       jsonb NOT NULL,
        PRIMARY KEY (log_id, client_id)
    )
    """,
    "COMMENT ON TABLE clients IS 'Inline projection: every registered client as it is now.'",
)

GRANTS = {
    "logs": "SELECT, INSERT",
    "log_head": "SELECT, INSERT, UPDATE",
    "event_log": "SELECT, INSERT",
    "active_tokens": "SELECT, INSERT, DELETE",
    "clients": "SELECT, INSERT, UPDATE, DELETE",
    "alembic_version": "SELECT",
}
"""Without UPDATE, DELETE and TRUNCATE on event_log the service can only append."""


def upgrade() -> None:
    """Create the tables and grant the service its privileges."""
    apply_revision(STATEMENTS, GRANTS)
