"""The service behind the HTTP API: settings, the composition root, and its counts."""
