"""`token-ledger clients`: register clients and change them."""
