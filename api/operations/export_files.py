"""The file of an export: written whole or not at all, for its owner's eyes; read without trust."""

import gzip
import os
import stat
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import IO, BinaryIO, cast

from api.operations.errors import OperationError, UsageError
from ledger.domain.errors import InvalidArchive

STANDARD = "-"
"""In place of a file: standard output or input."""

COMPRESSED = ".gz"
GZIP_MAGIC = b"\x1f\x8b"
GZIP_LEVEL = 6
BUFFER = 1 << 20
LONGEST_LINE = 1 << 26
"""So that a file which is something else altogether is not read into memory. A line is some hundred bytes."""

Write = Callable[[bytes], object]


@contextmanager
def archive_to_write(target: str, *, compress: bool = False, force: bool = False) -> Iterator[Write]:
    """Gives what to call with the bytes of an export. A name that ends in .gz is compressed too.

    The file appears under its name when all was written, readable by its owner alone. Raises OperationError.
    """
    if target == STANDARD:
        with _compressing(sys.stdout.buffer, compress) as stream:
            yield stream.write
        sys.stdout.buffer.flush()
        return
    path = Path(target)
    try:
        _check_free(path, force=force)
        with _appearing_whole(path) as file, _compressing(file, compress or path.suffix == COMPRESSED) as stream:
            yield stream.write
    except OSError as error:
        msg = f"{target} cannot be written: {error.strerror or error}"
        raise OperationError(msg) from error


@contextmanager
def archive_to_read(source: str) -> Iterator[Iterator[bytes]]:
    """Gives the lines of an export, compressed or not. They raise InvalidArchive and OperationError."""
    if source == STANDARD:
        yield _lines(cast("BufferedReader", sys.stdin.buffer), "standard input")
        return
    try:
        file = Path(source).open("rb")  # noqa: SIM115 (closed below; only the opening is a matter of usage)
    except OSError as error:
        msg = f"{source} cannot be read: {error.strerror or error}"
        raise UsageError(msg) from error
    with file:
        yield _lines(file, source)


def _check_free(path: Path, *, force: bool) -> None:
    with suppress(FileNotFoundError):
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            msg = f"{path} is there and is no file: give another name, or {STANDARD} for standard output"
            raise UsageError(msg)
        if not force:
            msg = f"{path} is there already: give another name, or --force to replace it"
            raise OperationError(msg)


@contextmanager
def _appearing_whole(path: Path) -> Iterator[BinaryIO]:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")  # its mode is 0600
    try:
        with os.fdopen(descriptor, "wb", BUFFER) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _compressing(stream: BinaryIO, wanted: bool) -> Iterator[IO[bytes]]:  # noqa: FBT001 (what it is about)
    if not wanted:
        yield stream
        return
    # Without name and time of writing, so that equal lines are equal bytes.
    with gzip.GzipFile(filename="", mode="wb", compresslevel=GZIP_LEVEL, fileobj=stream, mtime=0) as compressed:
        yield cast("IO[bytes]", compressed)


def _lines(file: BufferedReader, name: str) -> Iterator[bytes]:
    """The lines with their ends. Whether they are compressed is seen from the first bytes: a pipe has no name."""
    try:
        compressed = file.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC)
        stream = gzip.GzipFile(fileobj=file, mode="rb") if compressed else file
        yield from iter(partial(stream.readline, LONGEST_LINE), b"")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        msg = f"the compressed data is cut off or altered: {error}"
        raise InvalidArchive(msg) from error
    except OSError as error:
        msg = f"{name} cannot be read: {error.strerror or error}"
        raise OperationError(msg) from error
