"""How servers are driven: which requests, by which tool, and what it saw."""
