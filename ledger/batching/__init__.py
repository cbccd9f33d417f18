"""Sharing work between concurrent requests of one process: group commit, batched look-ups, one log tail."""
