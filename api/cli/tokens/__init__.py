"""`token-ledger tokens`: the history of a token, and revoking one."""
