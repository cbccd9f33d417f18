"""The event log in memory, for tests: same behaviour, no durability."""
