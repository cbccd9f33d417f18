"""The golden exports: every format version ever written stays readable."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from ledger.archive.export_format import VERSION
from tests.sample_logs import export_of, read_export, small_log

EXPORTS = Path(__file__).parent / "exports"


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_export_of_every_format_version_is_read(version):
    lines = (EXPORTS / f"log.v{version}.ndjson").read_bytes().splitlines(keepends=True)
    expected = small_log() if version > 1 else [replace(row, salt=None) for row in small_log()]
    assert read_export(lines) == expected


def test_export_has_the_bytes_of_its_format_version():
    assert b"".join(export_of(small_log())) == (EXPORTS / f"log.v{VERSION}.ndjson").read_bytes()
