"""The database schema: numbered revisions in SQL, applied by Alembic over asyncpg."""
