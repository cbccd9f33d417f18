"""What a group commit has done since its process started, in plain numbers."""

from bisect import bisect_left
from collections.abc import Sequence

from msgspec import Struct, field

from ledger.domain.recording import VersionConflict, Write, WriteResult

BATCH_BOUNDS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
"""Writes in a batch: the upper bounds of what is counted together; larger ones are counted last."""


class AppendCounts(Struct):
    """Writes by what became of them, the events that were recorded, and how large batches were.

    A write that was refused, because too many waited, was in no batch.
    """

    recorded: int = 0
    conflicts: int = 0
    failed: int = 0
    refused: int = 0
    events: int = 0
    batches: list[int] = field(default_factory=lambda: [0] * (len(BATCH_BOUNDS) + 1))

    def add(self, writes: Sequence[Write], results: Sequence[WriteResult | Exception]) -> None:
        """Count a batch."""
        self.batches[bisect_left(BATCH_BOUNDS, len(writes))] += 1
        for write, result in zip(writes, results, strict=True):
            if isinstance(result, VersionConflict):
                self.conflicts += 1
            elif isinstance(result, Exception):
                self.failed += 1
            else:
                self.recorded += 1
                self.events += len(write.events)
