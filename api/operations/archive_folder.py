"""A folder of archives: finding the file of one, and seeing that it is the one that was written."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from api.operations.errors import OperationError
from api.operations.export_files import archive_to_read
from ledger.domain.errors import InvalidArchive
from ledger.postgres.archive.catalogue import Archive


class FolderOfArchives:
    """Implements `ledger.postgres.archive.catalogue.ArchiveFolder`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._checked: set[str] = set()

    def file(self, name: str) -> Path:
        """Where a file of this name is, or would be."""
        return self._path / name

    def sha256(self, name: str) -> str:
        """The checksum of a file as it is. Raises InvalidArchive when it cannot be read."""
        try:
            with self.file(name).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            msg = f"{self.file(name)} cannot be read: {error.strerror or error}"
            raise InvalidArchive(msg) from error

    def make_durable(self, name: str) -> None:
        """Have a file, and that it is called so, survive a power cut. Raises InvalidArchive."""
        try:
            for path in (self.file(name), self._path):
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        except OSError as error:
            msg = f"{self.file(name)} cannot be synced: {error.strerror or error}"
            raise InvalidArchive(msg) from error

    @contextmanager
    def lines(self, archive: Archive) -> Iterator[Iterator[bytes]]:
        """The lines of an archive, once its file is found to be the one that was written. Raises InvalidArchive."""
        name = archive.file_name
        if name not in self._checked and self.sha256(name) != archive.file_sha256:
            msg = f"{self.file(name)} is not the file that was written: its SHA-256 is another"
            raise InvalidArchive(msg)
        self._checked.add(name)
        try:
            with archive_to_read(str(self.file(name))) as lines:
                yield lines
        except OperationError as error:
            raise InvalidArchive(str(error)) from error


def folder_of(path: Path | None) -> FolderOfArchives | None:
    """The folder that a flag names, if it does."""
    return None if path is None else FolderOfArchives(path)
