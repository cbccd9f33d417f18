"""`token-ledger log`: verify, measure, export, import and archive an issuer's log."""
