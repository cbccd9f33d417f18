"""Log output: its format, and the redaction of secrets."""
