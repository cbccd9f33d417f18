"""Folding a log from its beginning into tables of its own: to replace the live ones, or to compare them with."""
