"""Why there is no measurement."""


class CannotMeasure(Exception):
    """A sentence for whoever started it, and for the report."""
