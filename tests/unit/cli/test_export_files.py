"""Export files appear only when complete, are readable by their owner only, and may be compressed."""

import gzip
import io
import stat
from types import SimpleNamespace

import pytest

from api.cli.exit_codes import ExitCode, find_exit_code
from api.operations.export_files import (
    MAX_LINE_BYTES,
    ExportFileError,
    UnusableExportPath,
    open_export_to_read,
    open_export_to_write,
)
from ledger.domain.errors import InvalidExport

LINES = [b"one\n", b"two\n", b"three\n"]


def write(target, **options) -> None:
    with open_export_to_write(str(target), **options) as write_:
        for line in LINES:
            write_(line)


def break_off(target, error, **options) -> None:
    with open_export_to_write(str(target), **options) as write_:
        write_(LINES[0])
        raise error


def read(source) -> list[bytes]:
    with open_export_to_read(str(source)) as lines:
        return list(lines)


@pytest.mark.parametrize(("name", "compress"), [("log.ndjson", False), ("log.ndjson.gz", False), ("log", True)])
def test_export_is_read_as_written(tmp_path, name, compress):
    write(tmp_path / name, compress=compress)
    assert read(tmp_path / name) == LINES
    compressed = (tmp_path / name).read_bytes().startswith(b"\x1f\x8b")
    assert compressed == (name.endswith(".gz") or compress)


@pytest.mark.parametrize("force", [False, True])
def test_export_file_is_readable_by_its_owner_only(tmp_path, force):
    target = tmp_path / "log"
    if force:
        target.touch(0o644)
    write(target, force=force)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_compressed_bytes_do_not_depend_on_file_name_or_time(tmp_path, monkeypatch):
    write(tmp_path / "a.gz")
    monkeypatch.setattr("time.time", lambda: 0.0)
    write(tmp_path / "b.gz")
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


@pytest.mark.parametrize("name", ["log", "log.gz"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_export_leaves_no_file_when_it_fails(tmp_path, name, error):
    with pytest.raises((error, ExportFileError)):
        break_off(tmp_path / name, error)
    assert list(tmp_path.iterdir()) == []


def test_export_file_appears_only_when_complete(tmp_path):
    with open_export_to_write(str(tmp_path / "log")) as write_:
        write_(LINES[0])
        assert not (tmp_path / "log").exists()
    assert [file.name for file in tmp_path.iterdir()] == ["log"]


def test_export_keeps_an_existing_file_without_force(tmp_path):
    (tmp_path / "log").write_bytes(b"of yesterday")
    with pytest.raises(ExportFileError, match="already exists: give another name, or --force to replace it") as refused:
        write(tmp_path / "log")
    assert find_exit_code(refused.value) == ExitCode.REFUSED
    assert (tmp_path / "log").read_bytes() == b"of yesterday"


def test_export_with_force_replaces_the_file_when_complete(tmp_path):
    target = tmp_path / "log"
    target.write_bytes(b"of yesterday")
    with pytest.raises(RuntimeError):
        break_off(target, RuntimeError, force=True)
    assert target.read_bytes() == b"of yesterday"
    write(target, force=True)
    assert read(target) == LINES


@pytest.mark.parametrize("force", [False, True])
def test_export_never_replaces_a_directory(tmp_path, force):
    with pytest.raises(UnusableExportPath, match="is not a file") as refused:
        write(tmp_path, force=force)
    assert find_exit_code(refused.value) == ExitCode.USAGE


@pytest.mark.parametrize("target", ["nowhere/log", "file/log"])
def test_export_is_refused_when_the_folder_is_missing(tmp_path, target):
    (tmp_path / "file").touch()
    with pytest.raises(ExportFileError, match="cannot be written: No"):
        write(tmp_path / target)


@pytest.mark.parametrize(("name", "why"), [("nothing", "No such file"), (".", "Is a directory")])
def test_reading_is_a_usage_error_when_the_file_is_unreadable(tmp_path, name, why):
    with pytest.raises(UnusableExportPath, match=f"cannot be read: {why}") as refused:
        read(tmp_path / name)
    assert find_exit_code(refused.value) == ExitCode.USAGE


@pytest.mark.parametrize("compress", [False, True])
def test_export_uses_standard_output_and_input_for_a_dash(monkeypatch, compress):
    out = io.BytesIO()
    monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=out))
    write("-", compress=compress)
    assert (gzip.decompress(out.getvalue()) if compress else out.getvalue()) == b"".join(LINES)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(out.getvalue()))))
    assert read("-") == LINES


def test_reading_fails_when_compressed_data_is_truncated_anywhere(tmp_path):
    whole = gzip.compress(b"".join(LINES))
    for length in range(3, len(whole)):
        (tmp_path / "log").write_bytes(whole[:length])
        with pytest.raises(InvalidExport, match="truncated or altered"):
            read(tmp_path / "log")


def test_reading_fails_when_compressed_data_is_altered(tmp_path):
    whole = bytearray(gzip.compress(b"".join(LINES)))
    whole[-8] ^= 1
    (tmp_path / "log").write_bytes(whole)
    with pytest.raises(InvalidExport, match="truncated or altered"):
        read(tmp_path / "log")


def test_reading_limits_the_length_of_a_line(tmp_path):
    with (tmp_path / "log").open("wb") as file:
        file.truncate(MAX_LINE_BYTES + 5)
    with open_export_to_read(str(tmp_path / "log")) as lines:
        assert len(next(lines)) == MAX_LINE_BYTES
