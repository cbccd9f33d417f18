"""What was measured, and the report of it."""
