"""`token-ledger audit`: read the history of tokens, events and clients, from the database or over HTTP."""
