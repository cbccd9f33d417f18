"""Archives of a log in PostgreSQL: what was moved to files, moving it, restoring it, verifying it."""
