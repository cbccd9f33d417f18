"""`token-ledger audit`: questions about tokens, events and clients, put to the log itself or to a service over HTTP.

The commands and their views know `source.AuditSource` alone; `opening` decides which one it is.
"""
