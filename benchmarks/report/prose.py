"""What the report says in words: paragraphs by name, each under a heading, where an editor can read them."""

import re
from collections.abc import Mapping
from pathlib import Path

_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)


def by_heading(text: str) -> dict[str, str]:
    """What is below each heading of second level. What comes before the first is for who writes them."""
    _, *parts = _HEADING.split(text)
    return {name.strip(): body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}


_PROSE: Mapping[str, str] = by_heading(Path(__file__).with_suffix(".txt").read_text(encoding="utf-8"))


def prose(name: str, **values: object) -> str:
    """A paragraph of prose.txt, with values in its places."""
    return _PROSE[name].format(**values)
