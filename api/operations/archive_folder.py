"""A folder of archive files, each verified against its recorded checksum before it is read."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from api.operations.export_files import ExportFileError, open_export_to_read, sync_to_disk
from ledger.domain.errors import InvalidExport
from ledger.postgres.archive.catalogue import ArchivedRange


class ArchiveFolder:
    """An `ArchiveSource`. It checks each file once, so a new object is needed to notice a later change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._checked: set[str] = set()

    def path_of(self, file_name: str) -> Path:
        """The path of a file in the folder, whether it exists or not."""
        return self._path / file_name

    def sha256(self, file_name: str) -> str:
        """The current checksum of a file, hexadecimal. Raises InvalidExport when it cannot be read."""
        path = self.path_of(file_name)
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            msg = f"{path} cannot be read: {error.strerror or error}"
            raise InvalidExport(msg) from error

    def make_durable(self, file_name: str) -> None:
        """Sync a file and its folder entry to disk. Raises InvalidExport."""
        path = self.path_of(file_name)
        try:
            sync_to_disk(path)
            sync_to_disk(self._path)
        except OSError as error:
            msg = f"{path} cannot be synced: {error.strerror or error}"
            raise InvalidExport(msg) from error

    @contextmanager
    def open_lines(self, archive: ArchivedRange) -> Iterator[Iterator[bytes]]:
        """Give the lines of an archive. Raises InvalidExport when its file is missing or altered."""
        name = archive.file_name
        if name not in self._checked and self.sha256(name) != archive.file_sha256:
            msg = f"{self.path_of(name)} is not the archived file: its SHA-256 differs"
            raise InvalidExport(msg)
        self._checked.add(name)
        try:
            with open_export_to_read(str(self.path_of(name))) as lines:
                yield lines
        except ExportFileError as error:
            raise InvalidExport(str(error)) from error
