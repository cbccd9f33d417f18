"""Errors of the benchmarks. Their messages are sentences for the terminal and the report."""


class MeasurementError(Exception):
    """A measurement is not possible, or its result would be wrong."""


class ContenderUnavailable(Exception):
    """A contender cannot be installed or run on this machine."""
