"""Serving: sockets, start-up, one process or several workers, shutdown."""
