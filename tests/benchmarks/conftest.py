"""The service over a real database, for tests of the log that benchmarks fill."""

from tests.integration.conftest import issuer, service, start_process

__all__ = ["issuer", "service", "start_process"]
