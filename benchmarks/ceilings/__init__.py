"""Upper bounds for the service: an empty HTTP handler, and the database alone."""
