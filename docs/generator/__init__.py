"""Generates the parts of the reference pages that the code knows. `make docs` runs it.

A page holds hand-written text and generated regions between comments. The generator replaces the regions and leaves
the rest alone. It needs no database.
"""
