"""The compared servers, each with the same interface to install and run it."""
