"""The domain: events, aggregates and their rules. Pure: no I/O; time is an argument."""
