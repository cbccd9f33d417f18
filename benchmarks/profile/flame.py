"""A flame graph as an SVG without scripts, which code hosts display. Each frame has the colour of its part.

Callers are above the functions that they call. The outermost frames, which all stacks share, are left out.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

from benchmarks.profile.parts import OTHER, PARTS, find_part
from benchmarks.profile.stacks import Frame, Stack

LEAST_SHARE: Final = 0.005
"""Frames with a smaller share are not drawn."""

COMMON_SHARE: Final = 0.95
"""Outermost frames with a larger share are common to all stacks."""

_COLOURS: Final = (
    *("#9aa5b1", "#e8a87c", "#f6c177", "#d4a5c9", "#7fb2e5", "#8fce9b"),
    *("#5fb0a4", "#a3d5d3", "#c3a6e0", "#f2a3a3", "#e6c34a", "#c9b79c", "#d7dadd"),
)
COLOUR_OF: Final = dict(zip(PARTS, _COLOURS, strict=True))

WIDTH, ROW, MARGIN = 1200.0, 17, 10
LETTER_WIDTH = 6.3
"""In the font of the labels."""

LEAST_LETTERS = 4
LEGEND_COLUMNS = 4

INLINED: Final = frozenset({"object.h", "pycore_object.h", "abstract.h"})
"""CPython headers whose inline functions occur in all C stacks."""


@dataclass
class Node:
    """A frame with given callers, and the samples of it and its callees."""

    label: str
    part: str
    samples: int = 0
    callees: dict[str, "Node"] = field(default_factory=dict)

    def visible(self, least: float) -> list["Node"]:
        """Return the callees with that many samples, the largest first."""
        seen = [node for node in self.callees.values() if node.samples >= least]
        return sorted(seen, key=lambda node: (-node.samples, node.label))


@dataclass(frozen=True)
class Box:
    """A frame in the picture: `left` and `width` are shares of the whole, `depth` is its row."""

    node: Node
    depth: int
    left: float
    width: float


def flame_graph(stacks: Iterable[Stack], title: str) -> str:
    """Return the SVG, which depends only on the stacks. Raises ValueError when there are none."""
    root = _common_frame(_merged(stacks))
    boxes = list(_boxes(root, 0, 0.0, root.samples))
    rows = 1 + max(box.depth for box in boxes)
    parts = [part for part in PARTS if any(box.node.part == part for box in boxes)]
    top = 2 * MARGIN + ROW
    legend = top + rows * ROW + 2 * MARGIN
    height = legend + -(-len(parts) // LEGEND_COLUMNS) * ROW + MARGIN
    width = WIDTH + 2 * MARGIN
    size = f'width="{width:.0f}" height="{height}" viewBox="0 0 {width:.0f} {height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="monospace" font-size="10.5">',
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            f'<text x="{MARGIN}" y="{MARGIN + ROW - 5}" font-size="13">{escape(title)}</text>',
            *(line for box in boxes for line in _draw(box, top, root.samples)),
            *(line for number, part in enumerate(parts) for line in _legend(number, part, legend)),
            "</svg>\n",
        ]
    )


def _merged(stacks: Iterable[Stack]) -> Node:
    root = Node("all", OTHER)
    for stack in stacks:
        node = root
        node.samples += stack.samples
        for frame in _relevant(stack.frames):
            label, part = str(frame), find_part(frame) or node.part
            node = node.callees.setdefault(label, Node(label, part))
            node.samples += stack.samples
    if not root.samples:
        msg = "no stacks, so no flame graph"
        raise ValueError(msg)
    return root


def _relevant(frames: Sequence[Frame]) -> Iterator[Frame]:
    """Skip inline helpers, addresses without a name, and a function that repeats the frame before it."""
    before = None
    for frame in frames:
        if frame.file not in INLINED and not frame.function.startswith("0x") and frame != before:
            yield frame
            before = frame


def _common_frame(root: Node) -> Node:
    """Return the innermost frame that nearly all stacks share."""
    node = root
    while seen := node.visible(COMMON_SHARE * root.samples):
        node = seen[0]
    return node


def _boxes(node: Node, depth: int, left: float, total: int) -> Iterator[Box]:
    yield Box(node, depth, left, node.samples / total)
    for callee in node.visible(LEAST_SHARE * total):
        yield from _boxes(callee, depth + 1, left, total)
        left += callee.samples / total


def _draw(box: Box, top: int, total: int) -> Iterator[str]:
    x, y, width = MARGIN + box.left * WIDTH, top + box.depth * ROW, box.width * WIDTH
    share = f"{100 * box.node.samples / total:.1f} %"
    place = f'x="{x:.1f}" y="{y}" width="{max(width - 0.5, 0.5):.1f}" height="{ROW - 1}"'
    title = f"<title>{escape(box.node.label, quote=False)}: {share}</title>"
    yield f'<rect {place} fill="{COLOUR_OF[box.node.part]}">{title}</rect>'
    letters = int((width - 4) / LETTER_WIDTH)
    if letters >= LEAST_LETTERS:
        label = box.node.label if len(box.node.label) <= letters else f"{box.node.label[: letters - 1]}…"
        yield f'<text x="{x + 2:.1f}" y="{y + ROW - 5}">{escape(label, quote=False)}</text>'


def _legend(number: int, part: str, top: int) -> Iterator[str]:
    row, column = divmod(number, LEGEND_COLUMNS)
    x, y = MARGIN + column * WIDTH / LEGEND_COLUMNS, top + row * ROW
    yield f'<rect x="{x:.1f}" y="{y}" width="12" height="12" fill="{COLOUR_OF[part]}"/>'
    yield f'<text x="{x + 17:.1f}" y="{y + 10}">{escape(part, quote=False)}</text>'
