"""How many of our files one token request executes, from the socket to the statement."""

import sys
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]
PACKAGES = tuple(f"{ROOT / name}/" for name in ("api", "ledger", "projections"))
MAX_FILES = 24


class ExecutedFiles:
    """Collects the production files of which this thread calls a function."""

    def __init__(self) -> None:
        self.paths: set[str] = set()

    def __enter__(self) -> Self:
        sys.setprofile(self._on_call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _on_call(self, frame, event, _argument) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGES):
            self.paths.add(frame.f_code.co_filename)


async def test_token_request_executes_few_files(shop):
    await shop.request_tokens(1)  # what runs once per connection or process is not part of a request
    with ExecutedFiles() as executed:
        await shop.request_tokens(1)
    names = sorted(str(Path(path).relative_to(ROOT)) for path in executed.paths)
    assert "api/http/oauth/endpoints.py" in names
    assert len(names) <= MAX_FILES, names
