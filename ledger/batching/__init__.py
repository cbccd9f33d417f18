"""Work shared by the concurrent requests of a process: group commit, batched look-ups, one log tail."""
