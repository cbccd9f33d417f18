"""The projections in memory, for tests."""
