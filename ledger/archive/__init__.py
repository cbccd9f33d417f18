"""The export format of a log, and which events may be archived."""
