"""Generated regions of a Markdown page: what is between `<!-- generated: NAME -->` and `<!-- /generated -->`."""

import re
from collections.abc import Mapping

_REGION = re.compile(r"^<!-- generated: (?P<name>.+?) -->\n.*?^<!-- /generated -->$", re.MULTILINE | re.DOTALL)


class RegionError(Exception):
    """A page lacks a region that the code provides, or has one that it does not provide, or has one twice."""


def replace_regions(page: str, text: str, regions: Mapping[str, str]) -> str:
    """The text of the page with every region replaced. Raises RegionError, which says what to edit."""
    found = [match["name"] for match in _REGION.finditer(text)]
    for name in regions:
        if name not in found:
            msg = f"{page} has no region {name!r}: add the lines\n{open_region(name)}\n{CLOSE_REGION}"
            raise RegionError(msg)
    for name in found:
        if name not in regions or found.count(name) > 1:
            reason = "is there twice" if name in regions else "nothing generates"
            msg = f"{page} has region {name!r}, which {reason}: remove it"
            raise RegionError(msg)
    return _REGION.sub(lambda match: _render_region(match["name"], regions[match["name"]]), text)


def open_region(name: str) -> str:
    """The line that opens a region."""
    return f"<!-- generated: {name} -->"


CLOSE_REGION = "<!-- /generated -->"


def _render_region(name: str, body: str) -> str:
    return f"{open_region(name)}\n\n{body.strip()}\n\n{CLOSE_REGION}"
