"""Examines a database and how it is reached: what is wrong, and what to do about it. It changes nothing."""
