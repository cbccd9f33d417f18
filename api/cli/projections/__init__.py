"""`token-ledger projections`: follow, inspect, rebuild, replay and verify projections."""
