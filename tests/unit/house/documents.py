"""The Markdown files of the project: links, headings, sections and tables."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDERS = ("docs", "tests", "benchmarks", "deploy", "migrations", "ledger", "projections", "api")
"""Folders with Markdown, besides the root. Environments and data folders have files of others."""

_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(?P<title>.+)$", re.MULTILINE)
_TABLE_ROW = re.compile(r"^\|(?P<cells>.*)\|$")


def markdown_files() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.md"))])


def links(file: Path) -> Iterator[tuple[str, str]]:
    """Text and target of every link outside of code blocks."""
    for match in _LINK.finditer(_FENCE.sub("", file.read_text())):
        yield match["text"], match["target"]


def anchors(file: Path) -> set[str]:
    """The fragments that links to the file may use, as code hosts derive them from headings."""
    text = _FENCE.sub("", file.read_text())
    return {anchor(match["title"]) for match in _HEADING.finditer(text)}


def anchor(title: str) -> str:
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
    return re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")


def sections(text: str, level: int) -> dict[str, str]:
    """The text under each heading of that level, up to the next heading of that level or above, without backticks."""
    found = re.split(rf"^#{{1,{level}}} +(.+)$", text, flags=re.MULTILINE)
    return {title.strip("` "): body for title, body in zip(found[1::2], found[2::2], strict=True)}


def table(text: str) -> list[list[str]]:
    """The cells of every table row, without heading rows and rules."""
    rows = []
    lines = text.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        row = _TABLE_ROW.match(line)
        if row is None or is_rule(line) or is_rule(following):
            continue
        rows.append([cell.strip().strip("`") for cell in row["cells"].split("|")])
    return rows


def is_rule(line: str) -> bool:
    return re.fullmatch(r"\|(?: *:?-+:? *\|)+", line) is not None
