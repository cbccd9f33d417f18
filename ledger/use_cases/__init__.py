"""The use cases of an issuer: authenticate and register clients, issue, introspect and revoke tokens, audit."""
