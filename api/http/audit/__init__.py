"""The audit endpoints of an issuer: every token can explain itself."""
