"""The domain: events, aggregates and the rules for them. Pure: no I/O, and time is an argument."""
