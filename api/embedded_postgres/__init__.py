"""A real PostgreSQL for the demo and the tests, from a wheel, with its data in a folder. Never for production."""

from api.embedded_postgres.errors import EmbeddedPostgresError
from api.embedded_postgres.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]
