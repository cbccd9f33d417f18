"""Audit queries: the history of tokens, clients and events as of a moment."""
