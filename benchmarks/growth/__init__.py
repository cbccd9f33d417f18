"""How requests, storage and memory change as the log grows."""
