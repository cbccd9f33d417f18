"""What nothing can be faster than: a handler that does nothing, and the database alone."""
