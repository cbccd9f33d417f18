"""The audit endpoints of an issuer: the history of tokens, clients and events."""
