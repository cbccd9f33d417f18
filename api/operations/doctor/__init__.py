"""Checks whether the service can run on a database, and how to fix what is wrong. It changes nothing."""
