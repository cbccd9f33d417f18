"""Following the log: leases, checkpoints, skipped events and status of catch-up projections."""
