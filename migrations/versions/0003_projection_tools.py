"""Create the tables of projection tools: builds in progress, inline versions and skipped events."""

from migrations.revision import apply_revision

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    """
    CREATE TABLE projection_builds (
        projection text COLLATE "C" PRIMARY KEY,
        version    integer NOT NULL,
        state      text NOT NULL,
        started_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        holder     text NOT NULL
    )
    """,
    """
    CREATE TABLE projection_build_positions (
        projection text COLLATE "C" NOT NULL,
        log_id     integer NOT NULL,
        position   bigint NOT NULL CHECK (position >= 0),
        PRIMARY KEY (projection, log_id)
    )
    """,
    "COMMENT ON TABLE projection_builds IS 'Projections that are being built anew beside the live tables.'",
    "COMMENT ON TABLE projection_build_positions IS 'How far such a build has read each log.'",
    """
    CREATE TABLE projection_versions (
        projection text COLLATE "C" PRIMARY KEY,
        version    integer NOT NULL,
        built_at   timestamptz NOT NULL
    )
    """,
    "COMMENT ON TABLE projection_versions IS 'Which version of each inline projection its rows are of.'",
    "INSERT INTO projection_versions VALUES ('active_tokens', 1, clock_timestamp()), ('clients', 1, clock_timestamp())",
    """
    CREATE TABLE projection_skips (
        log_id     integer NOT NULL,
        projection text COLLATE "C" NOT NULL,
        position   bigint NOT NULL,
        topic      text NOT NULL,
        error      text,
        reason     text NOT NULL,
        actor      text NOT NULL,
        skipped_at timestamptz NOT NULL,
        PRIMARY KEY (log_id, projection, position)
    )
    """,
    "COMMENT ON TABLE projection_skips IS 'Events that a projection passed over because an operator said so.'",
)

GRANTS = {
    "projection_builds": "SELECT",
    "projection_build_positions": "SELECT",
    "projection_versions": "SELECT",
    "projection_skips": "SELECT, INSERT",
}


def upgrade() -> None:
    """Create the tables and grant the service its privileges."""
    apply_revision(STATEMENTS, GRANTS)
