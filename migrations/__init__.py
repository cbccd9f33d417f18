"""The database schema, revision by revision: an Alembic environment, raw SQL, over asyncpg."""
