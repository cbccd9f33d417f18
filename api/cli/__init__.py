"""The command line: `token-ledger`. One module a group of commands; `main` puts them together."""
