"""The results of measurements, and the report."""
