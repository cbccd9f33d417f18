"""Log output: format, and redaction of secrets."""
