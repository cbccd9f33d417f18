"""How many of our files one request passes through."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = tuple(f"{ROOT / name}/" for name in ("api", "ledger", "projections"))


class ExecutedFiles:
    """Collects the production files whose functions this thread calls."""

    def __init__(self) -> None:
        self.files: set[str] = set()

    def __enter__(self):
        sys.setprofile(self._on_call)
        return self

    def __exit__(self, *_) -> None:
        sys.setprofile(None)

    def _on_call(self, frame, event, _argument) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGES):
            self.files.add(str(Path(frame.f_code.co_filename).relative_to(ROOT)))


async def test_token_request_passes_at_most_25_files(shop):
    await shop.tokens(1)
    with ExecutedFiles() as executed:
        await shop.tokens(1)
    assert len(executed.files) <= 25
