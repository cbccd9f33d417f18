"""A PostgreSQL server from a wheel, for the demo and the tests. Not for production."""

from api.embedded_postgres.programs import EmbeddedPostgresError
from api.embedded_postgres.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]
