"""What an issuer does: issue, introspect, revoke, authenticate clients, register them, answer audits."""
