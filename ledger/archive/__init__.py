"""The export format of a log, and which history may leave the log for an archive."""
