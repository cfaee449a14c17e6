"""Architecture picture: draws docs/architecture.svg from docs/architecture.yaml.

    python -m tools.picture

The same source gives the same bytes, so a test can compare the two. Positions are given by hand: a picture that is
redrawn by a layout program moves everywhere when one arrow is added.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import yaml

ROOT = Path(__file__).resolve().parent.parent
SOURCE, PICTURE = ROOT / "docs" / "architecture.yaml", ROOT / "docs" / "architecture.svg"
_INK = "#22303c"
_FILLS = {  # kind -> fill and line
    "party": ("#fdf1f0", "#b0413e"),
    "process": ("#eaf4f9", "#2f6f8f"),
    "sealer": ("#efe9f7", "#6a4c93"),
    "redis": ("#fbf5e3", "#8a6d1d"),
    "postgres": ("#edf6ee", "#3a7d44"),
    "store": ("#eef1f8", "#4a5f8a"),
}
_LINES = {  # kind -> colour and dashes
    "request": ("#b0413e", ""),
    "message": ("#8a6d1d", ""),
    "rows": ("#3a7d44", ""),
    "bytes": ("#4a5f8a", ""),
    "seal": ("#6a4c93", ""),
    "read": ("#6a4c93", "5 4"),
}
_BOUNDARIES = {"outside": ("#b0413e", "7 5"), "inside": ("#2f6f8f", "")}
_TITLE_HEIGHT = 28
_LINE_HEIGHT = 15
_REACH = 0.5  # how far a curve goes straight on, as a share of the way across


@dataclass(frozen=True, slots=True)
class Box:
    """Something an arrow can begin or end at."""

    left: float
    top: float
    width: float
    height: float

    def at(self, side: str, along: float) -> tuple[float, float, float, float]:
        """A point on a side, and the direction that leads away from it."""
        match side:
            case "left":
                return self.left, self.top + along * self.height, -1, 0
            case "right":
                return self.left + self.width, self.top + along * self.height, 1, 0
            case "top":
                return self.left + along * self.width, self.top, 0, -1
            case "bottom":
                return self.left + along * self.width, self.top + self.height, 0, 1
        raise ValueError(f"{side} is no side of a box")


def render(source: str) -> str:
    """The picture as SVG. Raises KeyError and ValueError for a source that names what is not there."""
    plan = yaml.safe_load(source)
    boxes: dict[str, Box] = {}
    nodes = [*_nodes(plan["nodes"] | plan["more_nodes"], boxes), *_stores(plan["stores"], boxes)]
    width, height = plan["size"]
    body = [*_boundaries(plan["boundaries"]), *_arrows(plan["arrows"], boxes), *nodes, *_legend(plan["legend"], height)]
    heads = "".join(
        f'<marker id="{kind}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="{colour}"/></marker>'
        for kind, (colour, _) in _LINES.items()
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            ' font-family="Helvetica, Arial, Liberation Sans, sans-serif" font-size="12">',
            "<title>Processes, places where data lies, trust boundaries, and who may write what</title>",
            f'<defs>{heads}</defs><rect width="100%" height="100%" fill="white"/>',
            *body,
            "</svg>\n",
        ]
    )


def _boundaries(plan: list[dict[str, Any]]) -> Iterator[str]:
    for each in plan:
        left, top, width, height = each["at"]
        colour, dashes = _BOUNDARIES[each["kind"]]
        yield (
            f'<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="12" fill="none" stroke="{colour}"'
            f' stroke-dasharray="{dashes}"/>'
        )
        yield f'<text x="{left + 14}" y="{top + 20}" fill="{colour}">{escape(each["label"])}</text>'


def _nodes(plan: dict[str, dict[str, Any]], boxes: dict[str, Box]) -> Iterator[str]:
    for name, each in plan.items():
        box = boxes[name] = Box(*each["at"])
        fill, line = _FILLS[each["kind"]]
        yield (
            f'<rect x="{box.left}" y="{box.top}" width="{box.width}" height="{box.height}" rx="9" fill="{fill}"'
            f' stroke="{line}"/>'
        )
        yield from _words(box, each["text"])


def _stores(plan: dict[str, dict[str, Any]], boxes: dict[str, Box]) -> Iterator[str]:
    for each in plan.values():
        left, top, width = each["at"]
        fill, line = _FILLS[each["kind"]]
        yield f'<rect x="{left}" y="{top}" width="{width}" height="{_TITLE_HEIGHT}" fill="{line}" stroke="{line}"/>'
        yield (
            f'<text x="{left + width / 2:g}" y="{top + 19}" text-anchor="middle" fill="white" font-weight="bold">'
            f"{escape(each['title'])}</text>"
        )
        top += _TITLE_HEIGHT
        for part in each["parts"]:
            box = boxes[part["name"]] = Box(left, top, width, part["height"])
            own = _FILLS[part["kind"]][0] if "kind" in part else fill
            yield f'<rect x="{left}" y="{top}" width="{width}" height="{box.height}" fill="{own}" stroke="{line}"/>'
            yield from _words(box, part["text"])
            top += part["height"]


def _words(box: Box, lines: list[str]) -> Iterator[str]:
    """Lines in the middle of a box: the first stands out."""
    across = box.left + box.width / 2
    down = box.top + box.height / 2 - (len(lines) - 1) * _LINE_HEIGHT / 2 + 4
    for number, line in enumerate(lines):
        style = f'font-weight="bold" fill="{_INK}"' if number == 0 else f'font-size="11" fill="{_INK}"'
        y = down + number * _LINE_HEIGHT
        yield f'<text x="{across:g}" y="{y:g}" text-anchor="middle" {style}>{escape(line)}</text>'


def _arrows(plan: list[dict[str, str]], boxes: dict[str, Box]) -> Iterator[str]:
    for each in plan:
        (x1, y1, across1, down1), (x2, y2, across2, down2) = (_end(each[end], boxes) for end in ("from", "to"))
        reach = _REACH * max(abs(x2 - x1), abs(y2 - y1)) if across1 * across2 == 0 else _REACH * abs(x2 - x1)
        colour, dashes = _LINES[each["kind"]]
        points = (x1 + across1 * reach, y1 + down1 * reach, x2 + across2 * reach, y2 + down2 * reach, x2, y2)
        curve = f"M{x1:g} {y1:g}C" + " ".join(f"{point:g}" for point in points)
        yield (
            f'<path d="{curve}" fill="none" stroke="{colour}" stroke-width="1.4" stroke-dasharray="{dashes}"'
            f' marker-end="url(#{each["kind"]})"/>'
        )
        if "label" in each:
            yield (
                f'<text x="{(x1 + x2) / 2:g}" y="{(y1 + y2) / 2 - 6:g}" text-anchor="middle" font-size="11"'
                f' fill="{colour}">{escape(each["label"])}</text>'
            )


def _end(written: str, boxes: dict[str, Box]) -> tuple[float, float, float, float]:
    found = re.fullmatch(r"(\w+) (\w+)(?: ([\d.]+))?", written)
    if found is None:
        raise ValueError(f"{written!r} is no end of an arrow")
    name, side, along = found.groups()
    return boxes[name].at(side, float(along or 0.5))


def _legend(plan: list[dict[str, str]], height: int) -> Iterator[str]:
    for number, each in enumerate(plan):
        colour, dashes = _LINES[each["kind"]]
        y = height - 150 + number * 26
        yield (
            f'<path d="M44 {y}H88" stroke="{colour}" stroke-width="1.4" stroke-dasharray="{dashes}"'
            f' marker-end="url(#{each["kind"]})"/>'
        )
        yield f'<text x="98" y="{y + 4}" font-size="11" fill="{_INK}">{escape(each["label"])}</text>'


def main() -> None:
    PICTURE.write_text(render(SOURCE.read_text("utf-8")), "utf-8")
    print(f"drawn: {PICTURE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
