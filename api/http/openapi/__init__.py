"""The OpenAPI document of an issuer, made of what its endpoints declare."""
