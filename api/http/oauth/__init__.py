"""The OAuth 2.0 endpoints of an issuer."""
