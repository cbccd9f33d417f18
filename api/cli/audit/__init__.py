"""`token-ledger audit`: read the history of tokens, events and clients, from the database or over HTTP.

Commands and views depend on `source.AuditSource` only; `context.open_source` chooses the implementation.
"""
