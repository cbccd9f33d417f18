"""What the outside talks to: the HTTP service, its settings and the command line."""
