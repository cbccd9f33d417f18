"""Write and read the file of an export: written whole or not at all, readable by its owner only."""

import gzip
import os
import stat
import sys
import tempfile
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import IO, BinaryIO, cast

from api.operations.errors import OperationError, UsageError
from ledger.archive.export_format import ExportEnd, ExportHeader, ExportWriter
from ledger.domain.errors import InvalidExport
from ledger.domain.recording import RecordedEvent

STANDARD_STREAM = "-"
"""In place of a file name: standard output or standard input."""

GZIP_SUFFIX = ".gz"
GZIP_MAGIC = b"\x1f\x8b"
GZIP_LEVEL = 6
BUFFER_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 26
"""Keeps a file that is not an export from being read into memory. A line of an export has some hundred bytes."""

WriteBytes = Callable[[bytes], object]


class ExportFileError(OperationError):
    """The file of an export cannot be written or read; `file` names it."""

    def __init__(self, file: object, reason: str) -> None:
        super().__init__(f"{file} {reason}")
        self.file = str(file)
        self.reason = reason


class UnusableExportPath(ExportFileError, UsageError):
    """The path names something that cannot be opened, or is not a file."""


@contextmanager
def open_export_to_write(target: str, *, compress: bool = False, force: bool = False) -> Iterator[WriteBytes]:
    """Give a function that writes bytes of an export. A name that ends in .gz is compressed in any case.

    The file appears under its name when all bytes are written. Raises ExportFileError.
    """
    if target == STANDARD_STREAM:
        with _compress(sys.stdout.buffer, compress) as stream:
            yield stream.write
        sys.stdout.buffer.flush()
        return
    path = Path(target)
    try:
        _check_free(path, force=force)
        with _replace_when_complete(path) as file, _compress(file, compress or path.suffix == GZIP_SUFFIX) as stream:
            yield stream.write
    except OSError as error:
        raise ExportFileError(target, f"cannot be written: {error.strerror or error}") from error


@contextmanager
def open_export_to_read(source: str) -> Iterator[Iterator[bytes]]:
    """Give the lines of an export, compressed or not. Reading them raises InvalidExport and ExportFileError."""
    if source == STANDARD_STREAM:
        yield _read_lines(cast("BufferedReader", sys.stdin.buffer), "standard input")
        return
    try:
        file = Path(source).open("rb")  # noqa: SIM115 (closed below; only a failure to open is the path's fault)
    except OSError as error:
        raise UnusableExportPath(source, f"cannot be read: {error.strerror or error}") from error
    with file:
        yield _read_lines(file, source)


async def write_export(
    write: WriteBytes,
    header: ExportHeader,
    pages: AsyncIterator[Sequence[RecordedEvent]],
    progress: Callable[[int], object],
) -> ExportEnd:
    """Write the header, the events and the end of an export. Returns the end."""
    lines = ExportWriter(header)
    write(lines.header())
    async for page in pages:
        write(b"".join(map(lines.event, page)))
        progress(len(page))
    last, end = lines.end()
    write(last)
    return end


def _check_free(path: Path, *, force: bool) -> None:
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(path.stat().st_mode):
            reason = f"is not a file: give another name, or {STANDARD_STREAM} for standard output"
            raise UnusableExportPath(path, reason)
        if not force:
            raise ExportFileError(path, "already exists: give another name, or --force to replace it")


@contextmanager
def _replace_when_complete(path: Path) -> Iterator[BinaryIO]:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")  # its mode is 0600
    try:
        with os.fdopen(descriptor, "wb", BUFFER_BYTES) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink()
        raise
    sync_to_disk(path.parent)


def sync_to_disk(path: Path) -> None:
    """Make a file or folder survive a power cut. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _compress(stream: BinaryIO, wanted: bool) -> Iterator[IO[bytes]]:  # noqa: FBT001 (private, and never a literal)
    if not wanted:
        yield stream
        return
    # Without file name and time, so that equal lines give equal bytes.
    with gzip.GzipFile(filename="", mode="wb", compresslevel=GZIP_LEVEL, fileobj=stream, mtime=0) as compressed:
        yield cast("IO[bytes]", compressed)


def _read_lines(file: BufferedReader, name: str) -> Iterator[bytes]:
    """The lines with their line ends. The first bytes tell whether they are compressed: a pipe has no name."""
    try:
        compressed = file.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC)
        stream = gzip.GzipFile(fileobj=file, mode="rb") if compressed else file
        yield from iter(partial(stream.readline, MAX_LINE_BYTES), b"")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        msg = f"the compressed data is truncated or altered: {error}"
        raise InvalidExport(msg) from error
    except OSError as error:
        raise ExportFileError(name, f"cannot be read: {error.strerror or error}") from error
