"""The servers that are compared, each set up, run and removed in the same way."""
