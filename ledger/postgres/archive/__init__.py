"""Move closed history of a log to archive files, restore a log from an export, and verify archives."""
