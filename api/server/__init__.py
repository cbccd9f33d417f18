"""The server: listening socket, start-up, one process or several workers, shutdown."""
