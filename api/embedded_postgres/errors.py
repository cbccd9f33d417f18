"""What can be amiss with an embedded PostgreSQL."""


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot be used here. The message says why and what to do."""
